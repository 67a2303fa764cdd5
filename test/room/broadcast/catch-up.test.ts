import { expect, test } from "vitest";
import { chooseCatchUp, type CatchUpSource } from "../../../src/room/broadcast/catch-up.ts";
import { encodeDelta } from "../../../src/protocol/encoding/delta.ts";

const delta = encodeDelta(6, 10, new Map());

/** A room at revision 10 whose history begins at 6. */
function room(given: { snapshotBytes?: number } = {}): CatchUpSource {
  return {
    epoch: "now",
    rev: 10,
    deltaSince: (rev) => (rev >= 6 ? delta : undefined),
    snapshotBytes: () => given.snapshotBytes ?? 1_000,
  };
}

test.each([
  {
    title: "that has nothing yet takes a snapshot",
    epoch: null,
    rev: 0,
    kind: "snapshot",
    reason: "other-epoch",
  },
  {
    title: "of another epoch takes a snapshot",
    epoch: "then",
    rev: 9,
    kind: "snapshot",
    reason: "other-epoch",
  },
  {
    title: "of another epoch takes a snapshot even at the room's own revision",
    epoch: "then",
    rev: 10,
    kind: "snapshot",
    reason: "other-epoch",
  },
  { title: "at the room's revision is current", epoch: "now", rev: 10, kind: "current" },
  { title: "ahead of the room takes a snapshot", epoch: "now", rev: 11, kind: "snapshot", reason: "ahead" },
  { title: "one revision behind takes the delta", epoch: "now", rev: 9, kind: "delta" },
  { title: "where history begins takes the delta", epoch: "now", rev: 6, kind: "delta" },
  {
    title: "from before history takes a snapshot",
    epoch: "now",
    rev: 5,
    kind: "snapshot",
    reason: "history-too-short",
  },
])("a client $title", ({ epoch, rev, kind, reason }) => {
  const expected = kind === "delta" ? { kind, delta } : reason === undefined ? { kind } : { kind, reason };
  expect(chooseCatchUp({ epoch, rev }, room())).toEqual(expected);
});

test.each([
  { title: "larger than the snapshot is not sent", snapshotBytes: delta.body.length - 1, kind: "snapshot" },
  { title: "as large as the snapshot is sent", snapshotBytes: delta.body.length, kind: "delta" },
])("a delta $title", ({ snapshotBytes, kind }) => {
  expect(chooseCatchUp({ epoch: "now", rev: 8 }, room({ snapshotBytes })).kind).toBe(kind);
});

test("an empty room has nothing to send to a client that knows it", () => {
  const empty = { epoch: "now", rev: 0, deltaSince: () => undefined, snapshotBytes: () => 0 };
  expect(chooseCatchUp({ epoch: "now", rev: 0 }, empty)).toEqual({ kind: "current" });
  expect(chooseCatchUp({ epoch: null, rev: 0 }, empty).kind).toBe("snapshot");
});
