import { describe, expect, test } from "vitest";
import { encodeDelta, type Entries, type Entry } from "../../src/protocol/encoding/delta.ts";
import { decodeDown, decodeUp, encodeText, encodeUp } from "../../src/protocol/codec.ts";
import type { DownFrame, UpFrame } from "../../src/protocol/down/down-frames.ts";
import { decodeHello, type Hello } from "../../src/protocol/handshake/hello.ts";
import { encodeHello } from "../../src/protocol/handshake/hello-text.ts";
import type { NameTable } from "../../src/protocol/names.ts";
import { decodeRecords, encodeSnapshotPart } from "../../src/protocol/down/snapshot-part.ts";
import { encodeShared, encodeUpdate } from "../../src/protocol/down/update.ts";
import { helloPrefix, pingText, pongText, subprotocol } from "../../src/protocol/version.ts";
import { readFrame } from "../support/frames/decoded-frames.ts";
import { bytesOfHex, hexOf } from "../support/frames/hex.ts";
import { welcomeLimits } from "./support/welcome-limits.ts";

// What goes over the wire, letter by letter and byte by byte. Clients of another build read and write exactly this: a test here that
// has to be changed is a change of the protocol, which takes the next number in `version.ts` or keeps to what
// docs/PROTOCOL.md says that older peers ignore.

const hello: { frame: Hello; json: string; subprotocol: string } = {
  frame: {
    secret: "secret-0123456789abc",
    schema: 1,
    epoch: "e1",
    rev: 7,
    confirmed: 2,
    knownSince: 3,
    names: 4_081_516_237,
    acceptsDeflate: true,
    resumeSnapshot: { epoch: "e2", rev: 9, parts: 4, collection: "shapes", until: null },
    token: "tökén",
  },
  json:
    '{"secret":"secret-0123456789abc","schema":1,"epoch":"e1","rev":7,"confirmed":2,"knownSince":3,"name' +
    's":4081516237,"acceptsDeflate":true,"resumeSnapshot":{"epoch":"e2","rev":9,"parts":4,"collection":"shapes","until":null},"token":"t\\u00f6k\\u00e9n"}',
  subprotocol:
    "hello.eyJzZWNyZXQiOiJzZWNyZXQtMDEyMzQ1Njc4OWFiYyIsInNjaGVtYSI6MSwiZXBvY2giOiJlMSIsInJldiI6NywiY29uZmlybWVkIjoyLCJrbm" +
    "93blNpbmNlIjozLCJuYW1lcyI6NDA4MTUxNjIzNywiYWNjZXB0c0RlZmxhdGUiOnRydWUsInJlc3VtZVNuYXBzaG90Ijp7ImVwb2NoIjoiZTIiLCJyZX" +
    "YiOjksInBhcnRzIjo0LCJjb2xsZWN0aW9uIjoic2hhcGVzIiwidW50aWwiOm51bGx9LCJ0b2tlbiI6InRcdTAwZjZrXHUwMGU5biJ9",
};

const up: { [title: string]: { frame: UpFrame; text: string } } = {
  push: {
    frame: {
      kind: "push",
      first: 3,
      calls: [
        [7, "claim", { id: "t1" }],
        [
          7,
          "transact",
          {
            shapes: [
              ["put", "a", { x: 1 }],
              ["patch", "b", { x: 2 }],
              ["patch", "c", {}, ["y"]],
              ["delete", "d"],
            ],
          },
        ],
      ],
      confirmed: 2,
      received: 4096,
    },
    text:
      '{"kind":"push","first":3,"calls":[[7,"claim",{"id":"t1"}],[7,"transact",{"shapes":[["put","a",{"x":1}],' +
      '["patch","b",{"x":2}],["patch","c",{},["y"]],["delete","d"]]}]],"confirmed":2,"received":4096}',
  },
  "push without what was received": {
    frame: { kind: "push", first: 1, calls: [[0, "nothing", null]], confirmed: 0 },
    text: '{"kind":"push","first":1,"calls":[[0,"nothing",null]],"confirmed":0}',
  },
  presence: {
    frame: { kind: "presence", presence: { cursor: null } },
    text: '{"kind":"presence","presence":{"cursor":null}}',
  },
  event: {
    frame: { kind: "event", event: "confetti", payload: { x: 1 } },
    text: '{"kind":"event","event":"confetti","payload":{"x":1}}',
  },
  ack: { frame: { kind: "ack", bytes: 262_144 }, text: '{"kind":"ack","bytes":262144}' },
  resync: {
    frame: { kind: "resync", tag: 1, epoch: "e1", rev: 7, confirmed: 2 },
    text: '{"kind":"resync","tag":1,"epoch":"e1","rev":7,"confirmed":2}',
  },
  "resync from nothing": {
    frame: { kind: "resync", tag: 2, epoch: null, rev: 0, confirmed: 0 },
    text: '{"kind":"resync","tag":2,"epoch":null,"rev":0,"confirmed":0}',
  },
};

const table: NameTable = {
  collections: ["notes", "shapes"],
  fields: [["text"], ["color", "x", "y"]],
  mutators: ["addTask", "claim"],
  hash: 1,
};

/** Pushes of clients that know the same names. */
const compact: { [title: string]: { frame: UpFrame; hex: string } } = {
  "one edit": {
    frame: {
      kind: "push",
      first: 3,
      calls: [[7, "transact", { shapes: [["patch", "s1", { x: 512.4, y: 20 }]] }]],
      confirmed: 2,
    },
    // a push of one call, which is call 3; made at 7; an edit; a patch in collection 1 of "s1"; fields 1 and 2; 512.4; 20
    hex: "10 03 0e 00 05 027331 06 e98850 14",
  },
  "a mutator": {
    frame: { kind: "push", first: 1, calls: [[0, "claim", { id: "t1" }]], confirmed: 0 },
    // call 1; made at 0; mutator 1; an object of one member
    hex: "10 01 00 03 e8 01 026964 c27431",
  },
  "everything that a push may say": {
    frame: {
      kind: "push",
      first: 300,
      calls: [
        [7, "addTask", null],
        [
          6,
          "transact",
          {
            shapes: [
              ["put", "a", { color: "sun", x: -1 }],
              ["patch", "b", {}, ["color", "y"]],
              ["delete", "c"],
            ],
            notes: [["put", "é", { text: "" }]],
          },
        ],
      ],
      confirmed: 290,
      received: 4096,
    },
    // call 300, of which 9 fewer are confirmed than there might be, 4096 bytes received, 2 calls;
    // made at 7: mutator 0, null; made 1 earlier: 4 edits:
    // put "a" color x: "sun" -1; unset in "b" color y, and set nothing; delete "c"; put in collection 0 "é"
    hex:
      "17 ac02 12 8020 02" +
      "0e 02 e0" +
      "01 01 04" +
      "04 0161 03 c373756e e400" +
      "06 0162 05 00" +
      "07 0163" +
      "00 02c3a9 01 c0",
  },
};

const shapes = new Map<number, Entry>([
  [0, { change: { kind: "put", record: { x: 1 } }, id: "a" }],
  [1, { change: { kind: "patch", set: { x: 2 }, unset: [] }, id: undefined }],
  [40, { change: { kind: "patch", set: { x: 2, y: -1.5 }, unset: [] }, id: undefined }],
  [2, { change: { kind: "patch", set: {}, unset: ["y"] }, id: undefined }],
  [3, { change: { kind: "delete" }, id: undefined }],
  [41, { change: { kind: "patch", set: { x: 3 }, unset: [] }, id: undefined }],
]);
const entries: Entries = new Map([["shapes", shapes]]);

/** `encoded` is what the room makes, `wire` what it has to be: text, or bytes in hex; `frame` is what a client reads in it. */
const down: { [title: string]: { encoded: string | Uint8Array; wire: string; frame: DownFrame } } = {
  welcome: {
    encoded: encodeText({
      kind: "welcome",
      epoch: "e1",
      clientId: "actor-01",
      user: null,
      access: "write",
      knownSince: 3,
      acceptsBinary: true,
      limits: welcomeLimits,
    }),
    wire:
      '{"kind":"welcome","epoch":"e1","clientId":"actor-01","user":null,"access":"write","knownSince":3,"acceptsBinary":true,' +
      '"limits":{"callsPerSecond":200,"callsBurst":1000,"maxCallsPerFrame":256,"maxFrameBytes":1048576,' +
      '"maxUnacknowledgedBytes":1048576,"maxUnacknowledgedFrames":64,"ephemeralPerSecond":120,"ephemeralBurst":240}}',
    frame: {
      kind: "welcome",
      epoch: "e1",
      clientId: "actor-01",
      user: null,
      access: "write",
      knownSince: 3,
      acceptsBinary: true,
      limits: welcomeLimits,
    },
  },
  snapshot: {
    encoded: encodeSnapshotPart({
      part: 0,
      left: 2,
      rev: 300,
      collection: "shapes",
      from: "",
      until: "m",
      isDeflated: false,
      content: new TextEncoder().encode('[["a","é"],[0,9],[{"x":1},{"x":2}]]'),
    }),
    // part 0 and two more, of revision 300 of "shapes", from "" until "m"; the page as text
    wire: "30 00 02 ac02 06736861706573 00 016d 5b5b2261222c22c3a9225d2c5b302c395d2c5b7b2278223a317d2c7b2278223a327d5d5d",
    frame: {
      kind: "snapshot",
      part: 0,
      collection: "shapes",
      from: "",
      until: "m",
      left: 2,
      rev: 300,
      isDeflated: false,
      content: new TextEncoder().encode('[["a","é"],[0,9],[{"x":1},{"x":2}]]'),
    },
  },
  "last snapshot part of a collection": {
    encoded: encodeSnapshotPart({
      part: 200,
      left: 0,
      rev: 300,
      collection: "shapes",
      from: "m",
      until: null,
      isDeflated: true,
      content: new Uint8Array([0x8b, 0x8e, 0x8e, 0xd5, 0x01, 0xa3, 0x58, 0x00]),
    }),
    wire: "33 c801 00 ac02 06736861706573 016d 8b8e8ed501a35800",
    frame: {
      kind: "snapshot",
      part: 200,
      left: 0,
      rev: 300,
      collection: "shapes",
      from: "m",
      until: null,
      isDeflated: true,
      content: new Uint8Array([0x8b, 0x8e, 0x8e, 0xd5, 0x01, 0xa3, 0x58, 0x00]),
    },
  },
  "update with everything": {
    encoded: encodeUpdate(
      {
        tag: 0,
        lastCallId: 6,
        outcomes: [
          [3, { kind: "accepted", rev: 8 }, 910_853_466],
          [4, { kind: "rejected", code: "conflict", message: "too late", data: { by: "ben" } }],
          [5, { kind: "rejected", code: "taken", message: "taken" }],
          [6, { kind: "accepted", rev: 9 }],
        ],
        parts: 2,
      },
      encodeShared({
        delta: encodeDelta(7, 9, entries).body,
        checksums: { shapes: 1_172_754_765 },
        presence: [
          ["join", "actor-02", { id: "u2" }, { cursor: null }],
          ["set", "actor-03", {}],
          ["leave", "actor-04"],
        ],
        events: [
          ["actor-02", "confetti", { x: 1 }],
          [null, "confetti", { x: 2 }],
        ],
      }),
    ),
    // tag 0, mark 6; 4 outcomes: 3 at 8 with its hash; 4 refused with data; 5 refused; 6 one revision on; 2 parts;
    // then all four of what everybody is sent: checksums, presence, events and the delta from 7 over 2 revisions
    wire:
      "2f 00 06" +
      "04 0e 10 da8aaab203" +
      "05 08636f6e666c696374 08746f6f206c617465 01 e801026279c362656e" +
      "05 0574616b656e 0574616b656e 00" +
      "04 02" +
      "02 0f" +
      "e8 01 06736861706573 e3 cda29baf04" +
      "e7 03" +
      "e704 c46a6f696e c86163746f722d3032 e801026964c27532 e80106637572736f72e0" +
      "e703 c3736574 c86163746f722d3033 e800" +
      "e702 c56c65617665 c86163746f722d3034" +
      "e7 02" +
      "e703 c86163746f722d3032 c8636f6e6665747469 e801017801" +
      "e703 e0 c8636f6e6665747469 e801017802" +
      "07 02 01 06736861706573 06" +
      // put "a", handle 0, of a new shape "x"; patch of handle 1 in the shape used last
      "00 0161 00 01 0178 01" +
      "06 02" +
      // patch of handle 40 of a new shape "x", "y"; handle 2 without "y", and of a new shape of no fields
      "a101 00 02 0178 0179 02 e91d" +
      "0b 01 0179 00 00" +
      // deletion of handle 3; patch of handle 41 of the first shape
      "0f 00" +
      "a501 01 03",
    frame: {
      kind: "update",
      tag: 0,
      lastCallId: 6,
      outcomes: [
        [3, { kind: "accepted", rev: 8 }, 910_853_466],
        [4, { kind: "rejected", code: "conflict", message: "too late", data: { by: "ben" } }],
        [5, { kind: "rejected", code: "taken", message: "taken" }],
        [6, { kind: "accepted", rev: 9 }],
      ],
      parts: 2,
      checksums: { shapes: 1_172_754_765 },
      presence: [
        ["join", "actor-02", { id: "u2" }, { cursor: null }],
        ["set", "actor-03", {}],
        ["leave", "actor-04"],
      ],
      events: [
        ["actor-02", "confetti", { x: 1 }],
        [null, "confetti", { x: 2 }],
      ],
      delta: { from: 7, to: 9, entries },
    },
  },
  "update with nothing": {
    encoded: encodeUpdate({}, encodeShared({})),
    wire: "20 00",
    frame: { kind: "update" },
  },
  "update with a delta alone": {
    encoded: encodeUpdate({}, encodeShared({ delta: encodeDelta(0, 0, new Map()).body })),
    wire: "20 01 00 00 00",
    frame: { kind: "update", delta: { from: 0, to: 0, entries: new Map() } },
  },
  peers: {
    encoded: encodeText({ kind: "peers", peers: [["actor-02", { id: "u2" }, { cursor: null }]] }),
    wire: '{"kind":"peers","peers":[["actor-02",{"id":"u2"},{"cursor":null}]]}',
    frame: { kind: "peers", peers: [["actor-02", { id: "u2" }, { cursor: null }]] },
  },
  gap: {
    encoded: encodeText({ kind: "gap", expected: 3 }),
    wire: '{"kind":"gap","expected":3}',
    frame: { kind: "gap", expected: 3 },
  },
  error: {
    encoded: encodeText({
      kind: "error",
      code: "rate-limited",
      message: "too many calls",
      clientReqId: 5,
      retryAfterMs: 40,
    }),
    wire: '{"kind":"error","code":"rate-limited","message":"too many calls","clientReqId":5,"retryAfterMs":40}',
    frame: {
      kind: "error",
      code: "rate-limited",
      message: "too many calls",
      clientReqId: 5,
      retryAfterMs: 40,
    },
  },
  "error of no call": {
    encoded: encodeText({ kind: "error", code: "invalid", message: "frames are text" }),
    wire: '{"kind":"error","code":"invalid","message":"frames are text"}',
    frame: { kind: "error", code: "invalid", message: "frames are text" },
  },
};

describe("up", () => {
  test.each(Object.entries(up))("%s, as text", (_title, { frame, text }) => {
    expect(encodeUp(frame, undefined)).toBe(text);
    expect(decodeUp(text, 10_000, undefined)).toStrictEqual({ kind: "frame", frame });
  });

  test.each(Object.entries(compact))("%s, as bytes", (_title, { frame, hex }) => {
    expect(encodeUp(frame, table)).toEqual(bytesOfHex(hex));
    expect(decodeUp(bytesOfHex(hex), 10_000, table)).toStrictEqual({ kind: "frame", frame });
  });

  test("there is an example of every kind", () => {
    const kinds: { [kind in UpFrame["kind"]]: true } = {
      push: true,
      presence: true,
      event: true,
      ack: true,
      resync: true,
    };
    expect(new Set(Object.values(up).map(({ frame }) => frame.kind))).toEqual(new Set(Object.keys(kinds)));
  });
});

describe("down", () => {
  test.each(Object.entries(down))("%s", (_title, { encoded, wire, frame }) => {
    const isText = wire.startsWith("{");
    expect(isText ? encoded : hexOf(encoded as Uint8Array)).toBe(isText ? wire : wire.replaceAll(" ", ""));
    expect(decodeDown(isText ? wire : bytesOfHex(wire))).toStrictEqual(frame);
  });

  test.each(Object.entries(down))("%s, read by another reader", (_title, { wire, frame }) => {
    const empty = () => new TextEncoder().encode("[[],[],[]]");
    const read = readFrame(wire.startsWith("{") ? wire : bytesOfHex(wire), empty);
    expect(JSON.stringify(sorted(read))).toBe(JSON.stringify(sorted(plain(frame))));
  });

  test("there is an example of every kind", () => {
    const kinds: { [kind in DownFrame["kind"]]: true } = {
      welcome: true,
      snapshot: true,
      update: true,
      peers: true,
      gap: true,
      error: true,
    };
    expect(new Set(Object.values(down).map(({ frame }) => frame.kind))).toEqual(new Set(Object.keys(kinds)));
  });
});

test("the hello", () => {
  expect(encodeHello(hello.frame)).toBe(hello.subprotocol);
  expect(atob(hello.subprotocol.slice(helloPrefix.length))).toBe(hello.json);
  expect(decodeHello([subprotocol, hello.subprotocol])).toStrictEqual(hello.frame);
});

test("the names around the frames", () => {
  expect([subprotocol, helloPrefix, pingText, pongText]).toEqual(["deltaroom.v1", "hello.", "ping", "pong"]);
});

const noRecords = { ids: [], handles: [], records: [] };

/** A frame as the other reader has it. */
function plain(frame: DownFrame): object {
  if (frame.kind === "snapshot") {
    const { content, ...part } = frame;
    const { ids, handles, records } = frame.isDeflated ? noRecords : decodeRecords(content);
    return { ...part, records: ids.map((id, index) => [id, records[index], handles[index]]) };
  }
  if (frame.kind !== "update") return frame;
  const { outcomes, delta, ...rest } = frame;
  return {
    ...rest,
    ...(outcomes && {
      outcomes: outcomes.map(([id, outcome, ...hash]) => {
        const { kind, ...refusal } = outcome;
        return [id, kind === "accepted" ? outcome.rev : refusal, ...hash];
      }),
    }),
    ...(delta && {
      delta: {
        from: delta.from,
        to: delta.to,
        partitions: Array.from(delta.entries, ([collection, records]) => [
          collection,
          Array.from(records, ([handle, { change, id }]) => {
            if (change.kind === "put") return ["put", handle, id, change.record];
            if (change.kind === "patch") return ["patch", handle, change.set, change.unset];
            return ["delete", handle];
          }),
        ]),
      },
    }),
  };
}

function sorted(frame: object): object {
  return Object.fromEntries(Object.entries(frame).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
