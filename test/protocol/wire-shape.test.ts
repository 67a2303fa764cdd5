import { describe, expect, test } from "vitest";
import {
  decodeDown,
  decodeUp,
  encodeDown,
  encodeSnapshotPart,
  encodeUp,
  encodeUpdate,
} from "../../src/protocol/codec.ts";
import type { DownFrame, UpFrame } from "../../src/protocol/frames.ts";
import { decodeHello, encodeHello, type Hello } from "../../src/protocol/hello.ts";
import { helloPrefix, pingText, pongText, subprotocol } from "../../src/protocol/version.ts";
import { encodeDelta } from "../../src/core/history.ts";
import type { Change, Changes } from "../../src/core/changes.ts";

// What goes over the wire, letter by letter. Clients of another build read and write exactly this: a test here that
// has to be changed is a change of the protocol, which takes the next number in `version.ts` or keeps to what
// docs/PROTOCOL.md says that older peers ignore.

const hello: { frame: Hello; json: string; subprotocol: string } = {
  frame: {
    client: "actor-01.secret-0123456789",
    schema: 1,
    epoch: "e1",
    rev: 7,
    confirmed: 2,
    birth: 3,
    token: "tökén",
  },
  json:
    '{"client":"actor-01.secret-0123456789","schema":1,"epoch":"e1","rev":7,"confirmed":2,"birth":3,' +
    '"token":"t\\u00f6k\\u00e9n"}',
  subprotocol:
    "hello.eyJjbGllbnQiOiJhY3Rvci0wMS5zZWNyZXQtMDEyMzQ1Njc4OSIsInNjaGVtYSI6MSwiZXBvY2giOiJlMSIsInJldiI6NywiY29uZmlybWVk" +
    "IjoyLCJiaXJ0aCI6MywidG9rZW4iOiJ0XHUwMGY2a1x1MDBlOW4ifQ",
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

const changes: Changes = new Map([
  [
    "shapes",
    new Map<string, Change>([
      ["a", { kind: "put", record: { x: 1 } }],
      ["b", { kind: "patch", set: { x: 2 }, unset: [] }],
      ["c", { kind: "patch", set: {}, unset: ["y"] }],
      ["d", { kind: "delete" }],
    ]),
  ],
]);
const limits = {
  callsPerSecond: 200,
  callsBurst: 1_000,
  maxCallsPerFrame: 256,
  maxFrameBytes: 1_048_576,
  maxUnacknowledgedBytes: 1_048_576,
  maxUnacknowledgedFrames: 64,
};

/** `encoded` is what the room makes, `text` what it has to be, and `frame` what a client reads in it. */
const down: { [title: string]: { encoded: string; text: string; frame: DownFrame } } = {
  welcome: {
    encoded: encodeDown({
      kind: "welcome",
      epoch: "e1",
      actor: "actor-01",
      user: null,
      role: "writer",
      birth: 3,
      limits,
    }),
    text:
      '{"kind":"welcome","epoch":"e1","actor":"actor-01","user":null,"role":"writer","birth":3,"limits":' +
      '{"callsPerSecond":200,"callsBurst":1000,"maxCallsPerFrame":256,"maxFrameBytes":1048576,' +
      '"maxUnacknowledgedBytes":1048576,"maxUnacknowledgedFrames":64}}',
    frame: { kind: "welcome", epoch: "e1", actor: "actor-01", user: null, role: "writer", birth: 3, limits },
  },
  snapshot: {
    encoded: encodeSnapshotPart(
      0,
      { collection: "shapes", firstId: "", untilId: "m" },
      '[["a",{"x":1}],["b",{"x":2}]]',
    ),
    text:
      '{"kind":"snapshot","part":0,"collection":"shapes","from":"","until":"m",' +
      '"records":[["a",{"x":1}],["b",{"x":2}]]}',
    frame: {
      kind: "snapshot",
      part: 0,
      collection: "shapes",
      from: "",
      until: "m",
      records: [
        ["a", { x: 1 }],
        ["b", { x: 2 }],
      ],
    },
  },
  "last snapshot part of a collection": {
    encoded: encodeSnapshotPart(1, { collection: "shapes", firstId: "m", untilId: null }, "[]"),
    text: '{"kind":"snapshot","part":1,"collection":"shapes","from":"m","until":null,"records":[]}',
    frame: { kind: "snapshot", part: 1, collection: "shapes", from: "m", until: null, records: [] },
  },
  "update with everything": {
    encoded: encodeUpdate({
      tag: 0,
      mark: 4,
      outcomes: [
        [3, { kind: "accepted", rev: 8 }],
        [4, { kind: "rejected", code: "conflict", message: "too late", data: { by: "ben" } }],
        [5, { kind: "rejected", code: "taken", message: "taken" }],
      ],
      parts: 2,
      delta: encodeDelta(7, 8, changes).body,
      presence:
        '[["join","actor-02",{"id":"u2"},{"cursor":null}],["set","actor-03",{}],["leave","actor-04"]]',
      events: '[["actor-02","confetti",{"x":1}],[null,"confetti",{"x":2}]]',
    }),
    text:
      '{"kind":"update","tag":0,"mark":4,' +
      '"outcomes":[[3,8],[4,{"code":"conflict","message":"too late","data":{"by":"ben"}}],' +
      '[5,{"code":"taken","message":"taken"}]],"parts":2,' +
      '"delta":{"from":7,"to":8,"changes":{"shapes":[["put","a",{"x":1}],["patch","b",{"x":2}],' +
      '["patch","c",{},["y"]],["delete","d"]]}},' +
      '"presence":[["join","actor-02",{"id":"u2"},{"cursor":null}],["set","actor-03",{}],["leave","actor-04"]],' +
      '"events":[["actor-02","confetti",{"x":1}],[null,"confetti",{"x":2}]]}',
    frame: {
      kind: "update",
      tag: 0,
      mark: 4,
      outcomes: [
        [3, 8],
        [4, { code: "conflict", message: "too late", data: { by: "ben" } }],
        [5, { code: "taken", message: "taken" }],
      ],
      parts: 2,
      delta: {
        from: 7,
        to: 8,
        changes: {
          shapes: [
            ["put", "a", { x: 1 }],
            ["patch", "b", { x: 2 }],
            ["patch", "c", {}, ["y"]],
            ["delete", "d"],
          ],
        },
      },
      presence: [
        ["join", "actor-02", { id: "u2" }, { cursor: null }],
        ["set", "actor-03", {}],
        ["leave", "actor-04"],
      ],
      events: [
        ["actor-02", "confetti", { x: 1 }],
        [null, "confetti", { x: 2 }],
      ],
    },
  },
  "update with nothing": { encoded: encodeUpdate({}), text: '{"kind":"update"}', frame: { kind: "update" } },
  "update with a delta alone": {
    encoded: encodeUpdate({ delta: encodeDelta(0, 0, new Map()).body }),
    text: '{"kind":"update","delta":{"from":0,"to":0,"changes":{}}}',
    frame: { kind: "update", delta: { from: 0, to: 0, changes: {} } },
  },
  roster: {
    encoded: encodeDown({ kind: "roster", peers: [["actor-02", { id: "u2" }, { cursor: null }]] }),
    text: '{"kind":"roster","peers":[["actor-02",{"id":"u2"},{"cursor":null}]]}',
    frame: { kind: "roster", peers: [["actor-02", { id: "u2" }, { cursor: null }]] },
  },
  gap: {
    encoded: encodeDown({ kind: "gap", expected: 3 }),
    text: '{"kind":"gap","expected":3}',
    frame: { kind: "gap", expected: 3 },
  },
  error: {
    encoded: encodeDown({
      kind: "error",
      code: "rate-limited",
      message: "too many calls",
      clientReqId: 5,
      retryAfterMs: 40,
    }),
    text: '{"kind":"error","code":"rate-limited","message":"too many calls","clientReqId":5,"retryAfterMs":40}',
    frame: {
      kind: "error",
      code: "rate-limited",
      message: "too many calls",
      clientReqId: 5,
      retryAfterMs: 40,
    },
  },
  "error of no call": {
    encoded: encodeDown({ kind: "error", code: "invalid", message: "frames are text" }),
    text: '{"kind":"error","code":"invalid","message":"frames are text"}',
    frame: { kind: "error", code: "invalid", message: "frames are text" },
  },
};

describe("up", () => {
  test.each(Object.entries(up))("%s", (_title, { frame, text }) => {
    expect(encodeUp(frame)).toBe(text);
    expect(decodeUp(text, 10_000)).toStrictEqual({ kind: "frame", frame });
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
  test.each(Object.entries(down))("%s", (_title, { encoded, text, frame }) => {
    expect(encoded).toBe(text);
    expect(decodeDown(text)).toStrictEqual(frame);
  });

  test("there is an example of every kind", () => {
    const kinds: { [kind in DownFrame["kind"]]: true } = {
      welcome: true,
      snapshot: true,
      update: true,
      roster: true,
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
