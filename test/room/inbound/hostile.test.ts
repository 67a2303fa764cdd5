import { describe, expect, it } from "vitest";
import { codes } from "../../../src/protocol/codes.ts";
import { withLoneRoom } from "../../support/rooms/lone-room.ts";
import { newSmallRoom, newTestRoom, put } from "../../support/rooms/test-rooms.ts";

const edit = put("shapes", "s", { x: 1, y: 1 });
const push = (rest: object) =>
  JSON.stringify({ kind: "push", first: 1, confirmed: 0, calls: [[0, ...edit]], ...rest });
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

const unreadable: [what: string, data: string | ArrayBuffer, code?: string][] = [
  ["an empty text", ""],
  ["no JSON", "hello?"],
  ["half of a frame", '{"kind":"push","first":1'],
  ["a number", "5"],
  ["null", "null"],
  ["an array", "[]"],
  ["binary data", new Uint8Array([1, 2, 3]).buffer],
  ["no kind", "{}"],
  ["a kind that there is not", '{"kind":"drop"}'],
  ["a kind of the other direction", '{"kind":"peers","peers":[]}'],
  ["a push without calls", push({ calls: [] })],
  ["a push of something else", push({ calls: { length: 1 } })],
  ["a call that is no tuple", push({ calls: [{ type: "transact" }] })],
  ["a call with a member too many", push({ calls: [[0, ...edit, 1]] })],
  ["a call without a payload", push({ calls: [[0, "transact"]] })],
  ["a mutator's name without end", push({ calls: [[0, "m".repeat(65), {}]] })],
  ["an id of 0", push({ first: 0 })],
  ["an id below 0", push({ first: -1 })],
  ["half an id", push({ first: 1.5 })],
  ["an id as text", push({ first: "1" })],
  ["an id beyond all counting", push({}).replace('"first":1', '"first":1e300')],
  ["a base revision below 0", push({ calls: [[-1, ...edit]] })],
  ["nesting of which a parser could die", `${"[".repeat(100_000)}${"]".repeat(100_000)}`],
  ["a frame over the limit", push({ calls: [[0, "addTask", "x".repeat(1_100_000)]] }), "too-large"],
  ["an event's name without end", JSON.stringify({ kind: "event", event: "e".repeat(65), payload: {} })],
  ["acknowledged bytes below 0", '{"kind":"ack","bytes":-1}'],
  ["acknowledged bytes as text", '{"kind":"ack","bytes":"all"}'],
  ["a resync without a tag", '{"kind":"resync","epoch":null,"rev":0,"confirmed":0}'],
  ["a resync with tag 0", '{"kind":"resync","tag":0,"epoch":null,"rev":0,"confirmed":0}'],
];

/** Calls that can be read, and so use their ids up, with what no record may hold. */
const unacceptable: [what: string, data: string][] = [
  ["a number that JSON.parse takes for Infinity", push({}).replace('"x":1', '"x":1e400')],
  ["a key that reaches the prototype", push({}).replace('"x"', '"__proto__"')],
  ["a key that reaches the constructor", push({}).replace('"shapes"', '"constructor"')],
  ["half a character", push({}).replace('"s"', '"\\ud800"')],
  ["half a character as a key", push({}).replace('"x"', '"\\ud800"')],
  ["nesting without end", push({ calls: [[0, "addTask", nested(40)]] })],
  [
    "more nesting than a stack has",
    push({}).replace('"x":1', `"x":${"[".repeat(100_000)}${"]".repeat(100_000)}`),
  ],
];

describe("a message that cannot be read", () => {
  it.each(unreadable)(
    "because it is %s is answered with an error, and has done nothing",
    async (_, data, code = "invalid") => {
      const room = newSmallRoom();
      const [mallory, bob] = [await room.join(), await room.join()];
      await bob.commit(edit);
      await mallory.until(({ rev }) => rev === 1);
      const before = await room.json();
      mallory.sendRaw(data);
      const answer = await mallory.next("error");
      expect(answer).toEqual({ kind: "error", code, message: expect.any(String) });
      expect(answer.message.length).toBeLessThan(150);
      expect(await bob.quiet()).toEqual([]);
      expect(await room.json()).toEqual(before);
      expect(await room.rows()).toHaveLength(1);
      expect(await mallory.commit(edit)).toEqual([2]); // the next id is still the first
    },
  );
});

describe("a call that can be read", () => {
  it.each(unacceptable)("and carries %s is rejected, and the one behind it is not", async (_, data) => {
    const room = newSmallRoom();
    const [mallory, bob] = [await room.join(), await room.join()];
    await bob.commit(edit);
    await mallory.until(({ rev }) => rev === 1);
    const before = await room.json();
    mallory.nextId = 2;
    mallory.sendRaw(data);
    const { outcomes } = await mallory.next("update");
    expect(outcomes).toEqual([[1, { code: "invalid", message: expect.any(String) }]]);
    expect(await room.json()).toEqual(before);
    expect(await mallory.commit(edit)).toEqual([2]);
    await bob.until(({ rev }) => rev === 2);
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain("x");
  });

  it("in a frame with too many is not executed, and the frame's first is named", async () => {
    const room = newSmallRoom();
    const mallory = await room.join();
    mallory.sendRaw(push({ calls: Array.from({ length: 257 }, () => [0, ...edit]) }));
    expect(await mallory.next("error")).toMatchObject({ code: "too-large", clientReqId: 1 });
    expect(await mallory.commit(edit)).toEqual([1]);
  });
});

describe("a client with several pushes on the way", () => {
  it("is told once where to send again from, and not once for each", async () => {
    const room = newSmallRoom();
    const alice = await room.join();
    alice.pushAt(2, edit);
    alice.pushAt(3, edit);
    alice.pushAt(4, edit);
    expect(await alice.next("gap")).toEqual({ kind: "gap", expected: 1 });
    expect(await alice.quiet()).toEqual([]);
    alice.pushAt(1, edit);
    alice.pushAt(2, edit);
    expect(await alice.outcomesOf(1, 2)).toEqual([1, 2]);
    alice.pushAt(9, edit);
    expect(await alice.next("gap")).toEqual({ kind: "gap", expected: 3 });
  });
});

describe("a client that asks for too many catch-ups", () => {
  it("is closed, since a refusal would leave it waiting for its tag", async () => {
    await withLoneRoom({ limits: { resyncsBurst: 3 } }, (room) => {
      const alice = room.join("actor-alice");
      for (let tag = 1; tag <= 4; tag++) {
        expect(alice.closed).toBeUndefined();
        alice.send({ kind: "resync", tag, epoch: null, rev: 0, confirmed: 0 });
      }
      expect(alice.closed).toMatchObject({ closeCode: codes["rate-limited"].closeCode });
      expect(alice.take().at(-1)).toMatchObject({ kind: "error", code: "rate-limited", retryAfterMs: 1_000 });
    });
  });
});

describe("a frame that can be read and lies", () => {
  it.each([
    ["acknowledges more than was ever sent", { kind: "ack", bytes: Number.MAX_SAFE_INTEGER }],
    [
      "confirms outcomes that there are not",
      { kind: "push", first: 9, calls: [[0, ...edit]], confirmed: 99_999 },
    ],
    [
      "asks for what is ahead of the room",
      { kind: "resync", tag: 1, epoch: "x", rev: 99_999, confirmed: 99_999 },
    ],
    [
      "skips to the last id there is",
      { kind: "push", first: Number.MAX_SAFE_INTEGER, calls: [[0, ...edit]], confirmed: 0 },
    ],
  ])("because it %s changes nothing for anybody", async (_, frame) => {
    const room = newSmallRoom();
    const [mallory, bob] = [await room.join(), await room.join()];
    await mallory.commit(edit);
    await bob.until(({ rev }) => rev === 1);
    mallory.sendRaw(JSON.stringify(frame));
    await mallory.quiet();
    expect(await bob.quiet()).toEqual([]);
    mallory.pushAt(1, put("shapes", "s", { x: 99, y: 99 }));
    expect(await mallory.commit(edit)).toEqual([2]);
    await bob.until(({ rev }) => rev === 2);
    expect((await room.json()).collections).toEqual({ shapes: { s: { x: 1, y: 1 } } });
  });

  it.each([
    ["empty", ""],
    ["of 129 characters", "x".repeat(129)],
    ["called like a prototype", "__proto__"],
    ["called like a constructor", "constructor"],
  ])("because a record's id is %s is rejected, whichever way it comes", async (_, id) => {
    const room = newSmallRoom();
    const mallory = await room.join();
    const invalid = { code: "invalid" };
    const calls = [
      put("shapes", id, { x: 1, y: 1 }),
      ["addTask", { id, title: "" }],
      ["addUp", { id, by: 1 }],
    ] as const;
    expect(await mallory.commit(...calls)).toMatchObject([invalid, invalid, invalid]);
    expect((await room.json()).collections).toEqual({});
  });
});

describe("a client that floods the room", () => {
  it("with a thousand bad messages at once disturbs nobody else", async () => {
    const room = newTestRoom();
    const [mallory, bob] = [await room.join(), await room.join()];
    for (let message = 0; message < 1_000; message++) mallory.sendRaw("{".repeat(message));
    expect(await bob.commit(edit)).toEqual([1]);
  });

  it("is told when to come back, closed, and not let in before, and nobody else waits for it", async () => {
    const room = newTestRoom();
    const [mallory, bob] = [await room.join(), await room.join()];
    let longestMs = 0;
    let message = 0;
    while (mallory.closing === undefined && message < 1_000) {
      for (let burst = 0; burst < 10; burst++, message++) if (mallory.isOpen) mallory.sendRaw("{");
      const at = Date.now();
      await bob.ping();
      expect((await bob.commit(edit)).length).toBe(1);
      longestMs = Math.max(longestMs, Date.now() - at);
    }
    expect(await mallory.closed()).toEqual({ closeCode: 4429, reason: "rate-limited" });
    expect(mallory.rest().at(-1)).toMatchObject({
      kind: "error",
      code: "rate-limited",
      retryAfterMs: expect.any(Number),
    });
    expect(longestMs).toBeLessThan(1_000);
    await mallory.open();
    expect(await mallory.closed()).toEqual({ closeCode: 4429, reason: "rate-limited" });
    const [answer, ...more] = mallory.frames;
    expect([answer, more]).toEqual([
      { kind: "error", code: "rate-limited", message: expect.any(String), retryAfterMs: expect.any(Number) },
      [],
    ]);
    expect(Object.keys((await room.json()).collections)).toEqual(["shapes"]);
    expect((await room.join()).closing).toBeUndefined();
  });

  it("with requests for the whole state is told to come later, and those in the room go on", async () => {
    const room = newTestRoom();
    const bob = await room.join();
    const statuses = new Set<number>();
    let refused: Response | undefined;
    for (let round = 0; round < 40 && refused === undefined; round++) {
      for (const response of await Promise.all(Array.from({ length: 100 }, () => room.get()))) {
        statuses.add(response.status);
        if (response.status === 429) refused ??= response;
        else await response.text();
      }
    }
    expect([...statuses]).toEqual([200, 429]);
    expect(refused?.headers.get("Retry-After")).toBe("1");
    expect(await refused?.json()).toEqual({
      error: { code: "rate-limited", message: expect.any(String), retryAfterMs: expect.any(Number) },
    });
    expect(await bob.commit(edit)).toEqual([1]);
  });

  it("hangs up in the middle of it, and is gone", async () => {
    const room = newTestRoom();
    const [mallory, bob] = [await room.join(), await room.join()];
    mallory.setPresence({ at: 1 });
    await bob.until(({ peers }) => peers.size === 1);
    for (let call = 1; call <= 100; call++) mallory.pushAt(call, edit);
    mallory.cut();
    await bob.until(({ peers, rev }) => peers.size === 0 && rev > 0);
    expect((await room.json()).rev).toBe(bob.copy.rev);
  });
});
