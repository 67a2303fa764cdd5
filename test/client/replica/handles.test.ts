import { describe, expect, test } from "vitest";
import { encodeDelta, type Entries, type Entry } from "../../../src/protocol/encoding/delta.ts";
import type { Change } from "../../../src/model/changes.ts";
import { encodeSnapshotPart } from "../../../src/protocol/down/snapshot-part.ts";
import { encodeShared, encodeUpdate } from "../../../src/protocol/down/update.ts";
import {
  epoch,
  fakeTimers,
  scripted,
  toldOf,
  type ScriptedSocket,
} from "../../support/rooms/scripted-room.ts";

fakeTimers();

const put = (id: string, x: number): Entry => ({ change: { kind: "put", record: { x, y: 0 } }, id });
const patch = (x: number): Entry => ({
  change: { kind: "patch", set: { x }, unset: [] } satisfies Change,
  id: undefined,
});
const remove: Entry = { change: { kind: "delete" }, id: undefined };

function delta(from: number, to: number, ...shapes: [handle: number, Entry][]): Uint8Array {
  const entries: Entries = new Map([["shapes", new Map(shapes)]]);
  return encodeUpdate({}, encodeShared({ delta: encodeDelta(from, to, entries).body }));
}

function part(number: number, records: readonly [id: string, record: object, handle: number][]): Uint8Array {
  const lists = [0, 2, 1].map((place) => records.map((record) => record[place]));
  const page = new TextEncoder().encode(JSON.stringify(lists));
  return encodeSnapshotPart({
    part: number,
    left: 0,
    rev: 0,
    collection: "shapes",
    from: "",
    until: null,
    isDeflated: false,
    content: page,
  });
}

function end(tag: number, parts: number, from: number, to: number, ...shapes: [number, Entry][]): Uint8Array {
  const entries: Entries = new Map([["shapes", new Map(shapes)]]);
  const shared = encodeShared({ delta: encodeDelta(from, to, entries).body });
  return encodeUpdate({ tag, lastCallId: 0, parts }, shared);
}

/** A client at revision 5, with `a` under the handle 3 and `b` under 4. */
async function twoShapes() {
  const { room, server } = scripted();
  const told = toldOf({ room });
  const socket = await server.attempt(1);
  socket.open();
  socket.welcome();
  socket.say(
    part(0, [
      ["a", { x: 1, y: 0 }, 3],
      ["b", { x: 2, y: 0 }, 4],
    ]),
  );
  socket.say(end(0, 1, 5, 5));
  socket.say({ kind: "peers", peers: [] });
  await room.ready;
  const shapes = () => Object.fromEntries(room.state.shapes.entries().map(([id, { x }]) => [id, x]));
  return { room, socket, shapes, told };
}

function resyncs(socket: ScriptedSocket): unknown[] {
  return socket.frames("resync").map(({ epoch, rev }) => [epoch, rev]);
}

describe("a client knows by its handle", () => {
  test("a record of the snapshot, and one that a delta has put", async () => {
    const { socket, shapes } = await twoShapes();
    socket.say(delta(5, 6, [3, patch(10)], [9, put("c", 3)]));
    socket.say(delta(6, 7, [9, patch(30)], [4, remove]));
    expect(shapes()).toEqual({ a: 10, c: 30 });
    expect(resyncs(socket)).toEqual([]);
  });

  test("a record that was deleted and made again: the last change of its id counts", async () => {
    const { socket, shapes, room } = await twoShapes();
    socket.say(delta(5, 9, [3, remove], [9, put("a", 7)]));
    expect(shapes()).toEqual({ a: 7, b: 2 });
    socket.say(delta(9, 10, [9, patch(8)]));
    expect(shapes()).toEqual({ a: 8, b: 2 });
    socket.say(delta(10, 11, [9, remove]));
    expect([shapes(), room.rev]).toEqual([{ b: 2 }, 11]);
  });

  test("nothing of a record that came and went while it was away, and is not disturbed", async () => {
    const { socket, shapes, room } = await twoShapes();
    socket.say(delta(5, 8, [6, remove], [3, patch(10)], [7, remove]));
    expect([shapes(), room.rev]).toEqual([{ a: 10, b: 2 }, 8]);
    expect(resyncs(socket)).toEqual([]);
  });

  test("what a delta says again that begins below what is here", async () => {
    const { socket, shapes } = await twoShapes();
    socket.say(delta(5, 6, [3, remove], [9, put("a", 7)]));
    socket.say(delta(4, 7, [3, remove], [9, put("a", 7)], [4, patch(20)]));
    expect(shapes()).toEqual({ a: 7, b: 20 });
    expect(resyncs(socket)).toEqual([]);
  });

  test("only what it was told: a patch of another handle is applied in no part, and a snapshot heals it", async () => {
    const { socket, shapes, room, told } = await twoShapes();
    socket.say(delta(5, 6, [3, patch(10)], [8, patch(11)]));
    expect([shapes(), room.rev]).toEqual([{ a: 1, b: 2 }, 5]);
    expect(told).toContain("internal, will retry");
    expect(resyncs(socket)).toEqual([[null, 0]]);
    socket.say(part(0, [["a", { x: 5, y: 0 }, 12]]));
    socket.say(end(1, 1, 6, 7, [12, patch(6)]));
    expect([shapes(), room.rev, room.status]).toEqual([{ a: 6 }, 7, "online"]);
    // What the state before knew is forgotten.
    socket.say(delta(7, 8, [4, patch(20)]));
    expect([shapes(), resyncs(socket).length]).toEqual([{ a: 6 }, 2]);
  });

  test("nothing of a record that is gone", async () => {
    const { socket, shapes } = await twoShapes();
    socket.say(delta(5, 6, [3, remove]));
    socket.say(delta(6, 7, [3, patch(10)]));
    expect(shapes()).toEqual({ b: 2 });
    expect(resyncs(socket)).toEqual([[null, 0]]);
  });

  test("a snapshot's own, also where its parts are of different times and its end tells of both", async () => {
    const { socket, shapes, room } = await twoShapes();
    socket.say(delta(7, 8)); // a gap: the client asks
    expect(resyncs(socket)).toEqual([[epoch, 5]]);
    socket.say(part(0, [["a", { x: 1, y: 0 }, 3]]));
    // The same range once more, from a later checkpoint: `a` was made again meanwhile.
    socket.say(part(1, [["a", { x: 7, y: 0 }, 9]]));
    socket.say(end(1, 2, 5, 9, [3, remove], [9, put("a", 7)], [10, remove]));
    expect([shapes(), room.rev]).toEqual([{ a: 7 }, 9]);
    socket.say(delta(9, 10, [9, patch(8)]));
    expect(shapes()).toEqual({ a: 8 });
  });
});
