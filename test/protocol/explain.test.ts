import { describe, expect, test } from "vitest";
import { encodeDelta, type Entry } from "../../src/protocol/encoding/delta.ts";
import { encodeUp } from "../../src/protocol/codec.ts";
import { explainFrame } from "../../src/protocol/explain.ts";
import type { UpFrame } from "../../src/protocol/down/down-frames.ts";
import type { NameTable } from "../../src/protocol/names.ts";
import { encodeSnapshotPart } from "../../src/protocol/down/snapshot-part.ts";
import { encodeShared, encodeUpdate } from "../../src/protocol/down/update.ts";
import { bytesOfHex } from "../support/frames/hex.ts";

const names: NameTable = {
  collections: ["notes", "shapes"],
  fields: [["text"], ["x", "y"]],
  mutators: ["addTask"],
  hash: 1,
};

describe("for people to read,", () => {
  test("an update is one line of JSON, its calls answered as the protocol's page says it, and records by their handles", () => {
    const partition = new Map<number, Entry>([
      [7, { change: { kind: "put", record: { x: 1 } }, id: "a" }],
      [8, { change: { kind: "patch", set: { x: 2 }, unset: [] }, id: undefined }],
      [9, { change: { kind: "patch", set: {}, unset: ["y"] }, id: undefined }],
      [10, { change: { kind: "delete" }, id: undefined }],
    ]);
    const shared = encodeShared({
      delta: encodeDelta(3, 4, new Map([["shapes", partition]])).body,
      checksums: { shapes: 5 },
      presence: [["leave", "ben"]],
      events: [[null, "wave", 1]],
    });
    const update = encodeUpdate(
      {
        tag: 0,
        lastCallId: 2,
        outcomes: [
          [1, { kind: "accepted", rev: 4 }, 99],
          [2, { kind: "rejected", code: "no", message: "never", data: [1] }],
        ],
        parts: 1,
      },
      shared,
    );
    expect(explainFrame(update)).toBe(
      '{"kind":"update","tag":0,"lastCallId":2,"outcomes":[[1,4,99],[2,{"code":"no","message":"never","data":[1]}]],' +
        '"parts":1,"delta":{"from":3,"to":4,"changes":{"shapes":[["put","#7","a",{"x":1}],["patch","#8",{"x":2}],' +
        '["patch","#9",{},["y"]],["delete","#10"]]}},"checksums":{"shapes":5},"presence":[["leave","ben"]],' +
        '"events":[[null,"wave",1]]}',
    );
    expect(explainFrame(encodeUpdate({}, encodeShared({})))).toBe('{"kind":"update"}');
  });

  test("a part of a snapshot shows the handle of each record", () => {
    const page = new TextEncoder().encode('[["a"],[7],[{"x":1}]]');
    const part = { part: 2, left: 1, rev: 9, collection: "shapes", from: "", until: null };
    expect(explainFrame(encodeSnapshotPart({ ...part, isDeflated: false, content: page }))).toBe(
      '{"kind":"snapshot","part":2,"left":1,"rev":9,"collection":"shapes","from":"","until":null,"records":[["a",{"x":1},"#7"]]}',
    );
  });

  test("a part that is compressed says how long it is", () => {
    const part = { part: 2, left: 1, rev: 9, collection: "shapes", from: "", until: null };
    expect(explainFrame(encodeSnapshotPart({ ...part, isDeflated: true, content: new Uint8Array(3) }))).toBe(
      '{"kind":"snapshot","part":2,"left":1,"rev":9,"collection":"shapes","from":"","until":null,"deflatedBytes":3}',
    );
  });

  test("a push has the names of its client, or their numbers where those are not known", () => {
    const push: UpFrame = {
      kind: "push",
      first: 1,
      calls: [
        [0, "transact", { shapes: [["patch", "a", { x: 1, y: 2 }]] }],
        [0, "addTask", { id: "t" }],
      ],
      confirmed: 0,
    };
    const bytes = encodeUp(push, names) as Uint8Array;
    expect(explainFrame(bytes, names)).toBe(JSON.stringify(push));
    expect(explainFrame(bytes)).toBe(
      '{"kind":"push","first":1,"calls":[[0,"transact",{"collection 1":[["patch","a",{"field 0":1,"field 1":2}]]}],' +
        '[0,"mutator 0",{"id":"t"}]],"confirmed":0}',
    );
  });

  test.each(['{"kind":"ack","bytes":12}', '{"kind":"gap","expected":1}', "ping", "pong"])(
    "what is text stays as it is: %s",
    (text) => {
      expect(explainFrame(text)).toBe(text);
    },
  );

  test.each([
    ["", "it ends too early"],
    ["00", "it is no part of a snapshot"],
    ["20", "it ends too early"],
    ["40 00", "it is no part of a snapshot"],
    ["10 01 00 03 e0", "there is no mutator 1"],
  ])("what is no frame is said to be none: %s", (hex, problem) => {
    expect(() => explainFrame(bytesOfHex(hex), names)).toThrow(problem);
  });
});
