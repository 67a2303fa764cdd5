import { describe, expect, it } from "vitest";
import type { Limits } from "../../../src/room/limits.ts";
import { remoteClientId } from "../../../src/room/engine/client-log/client-log.ts";
import { idOf } from "../../support/clients/named-client.ts";
import { abuseLimitCases, type LimitCase } from "./abuse-limit-cases.ts";
import { withLoneRoom, type LoneClient, type LoneRoom } from "../../support/rooms/lone-room.ts";
import { put, remove } from "../../support/rooms/test-rooms.ts";
import type { Call } from "../../support/clients/wire-client.ts";
import type { Json } from "../../../src/schema/json.ts";

const dayMs = 86_400_000;
const edit = put("shapes", "s", { x: 1, y: 1 });
const note = (id: string, chars: number) => put("notes", id, { text: "x".repeat(chars) });
const card = (id: string, place: string) => put("cards", id, { title: "", place });
const placesOf = (room: LoneRoom) =>
  Object.fromEntries(
    Object.entries(room.collections["cards"] ?? {}).map(([id, { place }]) => [id, place as string]),
  );
const textOf = (bytes: number) => "x".repeat(bytes);

/** What the calls of one push came to, all flushed. */
function outcomesOf(room: LoneRoom, client: LoneClient, ...calls: readonly Call[]) {
  const first = client.push(...calls);
  room.pass(1_000);
  return calls.map((_, index) => client.copy.outcomes.get(first + index));
}

/** Codes of the errors among the frames that a client has not taken yet. */
function errorsOf(client: LoneClient): string[] {
  return client.take().flatMap((frame) => (frame.kind === "error" ? [frame.code] : []));
}

/** One for each limit there is: without its case, a new one does not compile. */
const cases: { readonly [L in keyof Limits]: LimitCase } = {
  ...abuseLimitCases,
  maxRecordBytes: [
    "a record of more bytes is refused, and one of as many is not",
    { maxRecordBytes: 111 },
    (room) => {
      const alice = room.join("actor-alice"); // {"text":"…"} is 11 bytes around its text
      expect(outcomesOf(room, alice, note("fits", 100), note("does-not", 101))).toMatchObject([
        1,
        { code: "too-large" },
      ]);
    },
  ],
  maxPayloadBytes: [
    "a call that carries more is rejected without being run",
    { maxPayloadBytes: 200 },
    (room) => {
      const alice = room.join("actor-alice");
      const long = { id: "t", title: textOf(200) };
      expect(outcomesOf(room, alice, ["addTask", long], edit)).toMatchObject([{ code: "too-large" }, 1]);
    },
  ],
  maxOperationBytes: [
    "a call that changes more is rejected, and has changed nothing",
    { maxOperationBytes: 5_000 },
    (room) => {
      const alice = room.join("actor-alice");
      const fill = (count: number) => ["fill", { count, chars: 400 }] as const;
      expect(outcomesOf(room, alice, fill(20), fill(5))).toMatchObject([{ code: "too-large" }, 1]);
      expect(room.room.read().records.ids("notes")).toHaveLength(5);
    },
  ],
  maxFrameBytes: [
    "a message of more bytes is refused unread, in bytes and not in characters",
    { maxFrameBytes: 300 },
    (room) => {
      const alice = room.join("actor-alice");
      alice.push(note("n", 250));
      alice.sendRaw(JSON.stringify({ kind: "event", event: "wave", payload: { text: "ä".repeat(130) } }));
      expect(errorsOf(alice)).toEqual(["too-large", "too-large"]);
      alice.pushAt(1, edit);
      expect(alice.copy.rev).toBe(1);
    },
  ],
  maxCallsPerFrame: [
    "a frame with more calls is refused, and none of them consumes its id",
    { maxCallsPerFrame: 3 },
    (room) => {
      const alice = room.join("actor-alice");
      alice.push(edit, edit, edit, edit);
      expect(errorsOf(alice)).toEqual(["too-large"]);
      alice.pushAt(1, edit, edit, edit);
      expect(alice.copy.lastCallId).toBe(3);
    },
  ],
  callsBurst: [
    "of a burst the calls beyond are refused, which consumes no id, and names the first of them",
    { callsBurst: 5 },
    (room) => {
      const alice = room.join("actor-alice");
      alice.push(edit, edit, edit, edit, edit, edit, edit);
      expect(alice.take()).toMatchObject([
        { kind: "error", code: "rate-limited", clientReqId: 6, retryAfterMs: 10 },
        { kind: "update", lastCallId: 5 },
      ]);
      // What was executed is not refused when it comes again: that would be to say that it was not.
      alice.pushAt(1, edit, edit, edit);
      room.pass(40);
      expect(alice.take()).toMatchObject([
        {
          outcomes: [
            [1, 1],
            [2, 2],
            [3, 3],
          ],
        },
      ]);
    },
  ],
  callsPerSecond: [
    "so many calls come back in a second",
    { callsPerSecond: 10, callsBurst: 2 },
    (room) => {
      const alice = room.join("actor-alice");
      const refused = (first: number) => {
        alice.pushAt(first, edit);
        room.pass(0);
        return errorsOf(alice).length > 0;
      };
      expect([refused(1), refused(2), refused(3)]).toEqual([false, false, true]);
      room.pass(50);
      expect(refused(3)).toBe(true);
      room.pass(100);
      expect([refused(3), refused(4)]).toEqual([false, true]);
    },
  ],
  ephemeralBurst: [
    "presence and events beyond a burst are refused and reach nobody",
    { ephemeralBurst: 2 },
    (room) => {
      const [alice, bob] = [room.join("actor-alice"), room.join("actor-bob")];
      alice.send({ kind: "presence", presence: { at: 1 } });
      alice.send({ kind: "event", event: "wave", payload: { text: "1" } });
      expect(errorsOf(alice)).toEqual([]);
      alice.send({ kind: "event", event: "wave", payload: { text: "2" } });
      alice.send({ kind: "presence", presence: { at: 2 } });
      const [first] = alice.take();
      expect(first).toMatchObject({ kind: "error", code: "rate-limited", retryAfterMs: expect.any(Number) });
      room.pass(40);
      expect(bob.copy.events).toHaveLength(1);
      expect(bob.copy.peers.get(idOf("actor-alice"))?.presence).toEqual({ at: 1 });
    },
  ],
  ephemeralPerSecond: [
    "so many of those come back in a second",
    { ephemeralPerSecond: 10, ephemeralBurst: 1 },
    (room) => {
      const alice = room.join("actor-alice");
      const refused = () => {
        alice.send({ kind: "presence", presence: { at: 1 } });
        return errorsOf(alice).length > 0;
      };
      expect([refused(), refused()]).toEqual([false, true]);
      room.pass(100);
      expect([refused(), refused()]).toEqual([false, true]);
    },
  ],
  maxPresenceBytes: [
    "presence of more bytes is refused",
    { maxPresenceBytes: 100 },
    (room) => {
      const alice = room.join("actor-alice");
      alice.send({ kind: "presence", presence: { at: 1, note: textOf(80) } });
      expect(errorsOf(alice)).toEqual([]);
      alice.send({ kind: "presence", presence: { at: 2, note: textOf(90) } });
      expect(errorsOf(alice)).toEqual(["too-large"]);
      expect(alice.session?.presence).toMatchObject({ at: 1 });
    },
  ],
  maxUserBytes: [
    "a person of more bytes does not come in, nor one who does not fit, and neither calls from a backend",
    { maxUserBytes: 100 },
    (room) => {
      const named = (name: unknown) => ({ user: { id: "u", name } as Json, access: "write" as const });
      expect(room.join("actor-alice", {}, named(textOf(80))).session?.client.user).toMatchObject({ id: "u" });
      for (const name of [textOf(90), 7]) {
        expect(() => room.join("actor-bobby", {}, named(name))).toThrow("unauthorized");
        const client = { clientId: "rpc:key", ...named(name) };
        expect(room.room.call(client, "addTask", { id: "t", title: "T" })).toMatchObject({ code: "invalid" });
      }
      expect(room.logged).toEqual(Array.from({ length: 4 }, () => "user-refused"));
    },
  ],
  maxEventBytes: [
    "an event of more bytes is refused",
    { maxEventBytes: 100 },
    (room) => {
      const [alice, bob] = [room.join("actor-alice"), room.join("actor-bob")];
      alice.send({ kind: "event", event: "wave", payload: { text: textOf(100) } });
      expect(errorsOf(alice)).toEqual(["too-large"]);
      alice.send({ kind: "event", event: "wave", payload: { text: textOf(80) } });
      expect(bob.copy.events).toHaveLength(1);
    },
  ],
  maxStateWeight: [
    "a room of many small records refuses another one, also after a wake, and has room again once some are deleted",
    { maxStateWeight: 20_000 },
    (room) => {
      const alice = room.join("actor-alice");
      const record = (index: number) => note(`n${index}`, 0);
      let held = 0;
      while (typeof outcomesOf(room, alice, record(held))[0] === "number") {
        held += 1;
        alice.send({ kind: "ack", bytes: alice.sentBytes });
      }
      expect(held).toBeGreaterThan(80);
      expect(held).toBeLessThan(120);
      room.evict();
      expect(outcomesOf(room, alice, record(held))).toMatchObject([{ code: "too-large" }]);
      expect(outcomesOf(room, alice, remove("notes", "n0"), record(held))).toEqual([
        expect.any(Number),
        expect.any(Number),
      ]);
    },
  ],
  maxStateBytes: [
    "a full room refuses what would make it grow, still shrinks, and has room again afterwards",
    { maxStateBytes: 20_000, maxRingBytes: 2_000 },
    (room) => {
      const alice = room.join("actor-alice");
      let rejected: unknown;
      let held = 0;
      for (; rejected === undefined; held++) {
        const [outcome] = outcomesOf(room, alice, note(`n${held}`, 1_000));
        if (typeof outcome !== "number") rejected = outcome;
      }
      expect(rejected).toMatchObject({ code: "too-large" });
      expect(held).toBeGreaterThan(10);
      expect(held).toBeLessThan(22);
      expect(
        outcomesOf(room, alice, remove("notes", "n0"), remove("notes", "n1"), remove("notes", "n2")),
      ).not.toContainEqual(expect.objectContaining({ code: expect.anything() }));
      for (let turn = 0; turn < 12; turn++) outcomesOf(room, alice, note("n3", 1_000)); // until a checkpoint has measured
      expect(outcomesOf(room, alice, note("again", 1_000))).toEqual([expect.any(Number)]);
    },
  ],
  maxSessions: [
    "a room with so many sessions is full, except for who is in it already, until one leaves",
    { maxSessions: 2 },
    (room) => {
      const alice = room.join("actor-alice");
      room.join("actor-bob");
      expect(() => room.join("actor-carol")).toThrow("room-full");
      room.evict();
      expect(() => room.join("actor-carol")).toThrow("room-full");
      room.join("actor-alice");
      expect(alice.closed).toMatchObject({ reason: "replaced" });
      room.join("actor-bob").leave();
      room.join("actor-carol");
    },
  ],
  flushIntervalMs: [
    "commits within it share a flush",
    { flushIntervalMs: 100 },
    (room) => {
      const alice = room.join("actor-alice");
      for (let ms = 0; ms < 400; ms += 10) {
        alice.push(edit);
        room.pass(10);
      }
      // After the first one, which has but one operation, it takes twice as long.
      expect(room.rows).toHaveLength(4);
    },
  ],
  maxRowBytes: [
    "a batch is flushed before its row would hold more, rejections and their data included",
    { maxRowBytes: 20_000 },
    (room) => {
      const alice = room.join("actor-alice");
      const calls = Array.from(
        { length: 10 },
        (_, index) => [note(`n${index}`, 3_000), ["refuse", { text: textOf(1_000) }]] as const,
      );
      const outcomes = outcomesOf(room, alice, ...calls.flat());
      expect(outcomes.filter((outcome) => typeof outcome === "number")).toHaveLength(10);
      const bytes = room.sql.exec<{ bytes: number }>(
        "SELECT length(body) + length(ids) + length(clientLog) + length(authors) AS bytes FROM deltaroom_journal",
      );
      for (const row of bytes) expect(row.bytes).toBeLessThan(20_000);
      expect(room.rows.length).toBeGreaterThan(1);
    },
  ],
  maxRingFlushes: [
    "what is older is merged: a delta from there begins at or below the client's revision",
    { maxRingFlushes: 32, flushIntervalMs: 0 },
    (room) => {
      const alice = room.join("actor-alice");
      for (let x = 0; x < 100; x++) alice.push(put("shapes", `s${x}`, { x, y: 0 }));
      const { history, rev } = room.room.roomState;
      expect(history.ringFrom).toBe(rev - 32);
      expect(history.segments.at(-1)?.to).toBe(rev - 32);
    },
  ],
  maxRingBytes: [
    "the ring buffer holds no more",
    { maxRingBytes: 5_000, maxRowBytes: 10_000, flushIntervalMs: 0 },
    (room) => {
      const alice = room.join("actor-alice");
      for (let id = 0; id < 10; id++) alice.push(note(`n${id}`, 1_000));
      const { history, rev } = room.room.roomState;
      const inSegments = history.segments.reduce((sum, { body }) => sum + body.length, 0);
      expect(history.bytes - inSegments).toBeLessThanOrEqual(5_000);
      expect(history.since(rev - 1)?.to).toBe(rev);
    },
  ],
  maxHistoryBytes: [
    "clients from further back than so many bytes of history are sent a snapshot",
    { maxHistoryBytes: 2_000, maxRingFlushes: 4, flushIntervalMs: 0 },
    (room) => {
      const alice = room.join("actor-alice");
      for (let n = 0; n < 80; n++) {
        alice.push(note(`n${n % 40}`, 100));
        alice.send({ kind: "ack", bytes: 10_000 });
      }
      const { history, pages } = room.room.roomState;
      expect(history.bytes).toBeLessThan(2_500);
      expect(pages.bytes).toBeGreaterThan(4_000);
      expect([history.since(79)?.to, history.since(1)?.to]).toEqual([80, undefined]);
    },
  ],
  pageBytes: [
    "no page holds more, unless it is a single record",
    { pageBytes: 1_000, maxRingFlushes: 4, flushIntervalMs: 0 },
    (room) => {
      const alice = room.join("actor-alice");
      for (let id = 0; id < 16; id++) alice.push(note(`n${id}`, id === 7 ? 3_000 : 200));
      const sizes = room.sql
        .exec<{ bytes: number }>("SELECT length(records) AS bytes FROM deltaroom_page")
        .toArray();
      expect(sizes.filter(({ bytes }) => bytes > 1_010)).toHaveLength(1);
      expect(sizes.length).toBeGreaterThan(3);
    },
  ],
  quietCheckpointMs: [
    "a room that has been quiet for so long writes its pages",
    { quietCheckpointMs: 500, pageBytes: 100 },
    (room) => {
      const alice = room.join("actor-alice");
      alice.push(note("n", 200));
      room.pass(499);
      expect(room.checkpointN).toBe(0);
      room.pass(1);
      expect(room.checkpointN).toBe(1);
    },
  ],
  maxSilenceMs: [
    "a session of which nothing was heard for so long, though it was asked, is gone for everybody else",
    { maxSilenceMs: 1_000 },
    (room) => {
      const [alice, silent] = [room.join("actor-alice"), room.join("actor-bob")];
      silent.send({ kind: "presence", presence: { at: 1 } });
      silent.isThere = false;
      room.pass(999);
      expect([silent.closed, silent.asked, alice.copy.peers.size]).toEqual([undefined, 1, 1]);
      room.pass(1);
      expect([silent.closed?.reason, alice.closed, alice.copy.peers.size]).toEqual(["timeout", undefined, 0]);
    },
  ],
  maxUnacknowledgedBytes: [
    "a session that owes more is sent nothing, until one catch-up",
    { maxUnacknowledgedBytes: 3_000, flushIntervalMs: 0 },
    (room) => {
      const [alice, stalled] = [room.join("actor-alice"), room.join("actor-bob")];
      for (let id = 0; id < 20; id++) {
        alice.push(note(`n${id}`, 300));
        alice.send({ kind: "ack", bytes: 10_000 });
      }
      expect(stalled.sentBytes).toBeLessThan(3_500);
      stalled.send({ kind: "ack", bytes: stalled.sentBytes });
      expect(stalled.copy.collections).toEqual(alice.copy.collections);
    },
  ],
  maxUnacknowledgedFrames: [
    "a session that owes more frames is sent nothing, until one catch-up, however short they are",
    { maxUnacknowledgedFrames: 10, flushIntervalMs: 0 },
    (room) => {
      const [alice, stalled] = [room.join("actor-alice"), room.join("actor-bob")];
      for (let x = 0; x < 100; x++) {
        alice.push(put("shapes", "s", { x, y: 0 }));
        alice.send({ kind: "ack", bytes: 10_000 });
      }
      expect(stalled.take().length).toBeLessThan(12);
      stalled.send({ kind: "ack", bytes: stalled.sentBytes });
      expect(stalled.take().map(({ kind }) => kind)).toEqual(["update", "peers"]);
      expect(stalled.copy.rev).toBe(100);
    },
  ],
  maxLoggedClients: [
    "beyond so many, the longest unseen client is forgotten, and told so when it comes back",
    { maxLoggedClients: 2, maxRingFlushes: 4, flushIntervalMs: 0 },
    (room) => {
      const leaving = ["actor-alice", "actor-bob", "actor-carol"].map((clientId) => room.join(clientId));
      for (const client of leaving) {
        client.push(edit);
        client.leave();
        room.pass(1_000);
      }
      const dora = room.join("actor-dora");
      for (let x = 0; x < 4; x++) dora.push(edit);
      expect(() => room.join("actor-bob", { knownSince: 0, confirmed: 1 })).toThrow("too-old");
      expect(room.join("actor-carol", { knownSince: 0 }).copy.lastCallId).toBe(1);
      room.evict();
      expect(() => room.join("actor-alice", { knownSince: 0 })).toThrow("too-old");
      expect(room.sql.exec("SELECT clientId FROM deltaroom_client").toArray()).toHaveLength(2);
    },
  ],
  maxClientLogAgeDays: [
    "a client that was not seen for so long is forgotten, but not one that is here",
    { maxClientLogAgeDays: 7, maxRingFlushes: 4, flushIntervalMs: 0 },
    (room) => {
      const [alice, bob, carol] = [
        room.join("actor-alice"),
        room.join("actor-bob"),
        room.join("actor-carol"),
      ];
      for (const client of [alice, bob]) client.push(edit);
      bob.leave();
      room.pass(8 * dayMs);
      for (let x = 0; x < 4; x++) carol.push(edit);
      expect(() => room.join("actor-bob", { knownSince: 0 })).toThrow("too-old");
      alice.pushAt(1, edit);
      expect(alice.copy.lastCallId).toBe(1);
      expect(room.room.read().rev).toBe(6);
    },
  ],
  maxLoggedClientsPerUser: [
    "beyond so many clients of one user, the longest unseen of them is forgotten, and nobody else's",
    { maxLoggedClientsPerUser: 1, maxRingFlushes: 4, flushIntervalMs: 0 },
    (room) => {
      const as = (id: string) => ({ user: { id, name: id }, access: "write" as const });
      const come = (clientId: string, user: string) => {
        const client = room.join(clientId, {}, as(user));
        client.push(edit);
        client.leave();
        room.pass(1_000);
      };
      come("actor-alice", "alice");
      come("actor-bob-1", "bob");
      come("actor-bob-2", "bob");
      come("actor-carol", "carol");
      expect(() => room.join("actor-bob-1", { knownSince: 0 }, as("bob"))).toThrow("too-old");
      expect(room.join("actor-bob-2", { knownSince: 0 }, as("bob")).copy.lastCallId).toBe(1);
      expect(room.join("actor-alice", { knownSince: 0 }, as("alice")).copy.lastCallId).toBe(1);
    },
  ],
  maxRemoteClients: [
    "of idempotency keys as many are remembered, and they push out no client",
    { maxRemoteClients: 2, maxLoggedClients: 1, maxRingFlushes: 4, flushIntervalMs: 0 },
    (room) => {
      const alice = room.join("actor-alice");
      alice.push(edit);
      alice.leave();
      const call = (key: string) =>
        room.room.call({ clientId: remoteClientId(key), user: null, access: "write" }, "addUp", {
          id: "sum",
          by: 1,
        });
      for (const key of ["a", "b", "c"]) {
        room.pass(1_000);
        expect(call(key)).toMatchObject({ kind: "accepted" });
      }
      const { rev } = room.room.read();
      expect([call("b"), call("c")]).toMatchObject([{ rev: rev - 1 }, { rev }]);
      expect(call("a")).toEqual({ kind: "accepted", rev: rev + 1 });
      expect(room.join("actor-alice", { knownSince: 0 }).copy.lastCallId).toBe(1);
    },
  ],
  maxUnconfirmedOutcomes: [
    "a client that confirms nothing may not go on, until it does",
    { maxUnconfirmedOutcomes: 4 },
    (room) => {
      const alice = room.join("actor-alice");
      alice.push(edit, edit, edit, edit, edit, edit);
      expect(alice.take()).toMatchObject([
        { kind: "error", code: "rate-limited", clientReqId: 5 },
        { lastCallId: 4 },
      ]);
      alice.send({ kind: "push", first: 5, calls: [[0, ...edit] as never], confirmed: 4 });
      room.pass(40);
      expect(alice.copy.lastCallId).toBe(5);
    },
  ],
  maxUnconfirmedBytes: [
    "a client that confirms nothing may not have more than so many bytes kept for it either",
    { maxUnconfirmedBytes: 5_000 },
    (room) => {
      const alice = room.join("actor-alice");
      alice.push(...Array.from({ length: 20 }, () => ["refuse", { text: textOf(1_000) }] as const));
      room.pass(40);
      expect(errorsOf(alice)).toEqual(["rate-limited"]);
      expect(alice.copy.lastCallId).toBeLessThan(7);
      alice.send({
        kind: "push",
        first: alice.copy.lastCallId + 1,
        calls: [[0, ...edit] as never],
        confirmed: alice.copy.lastCallId,
      });
      room.pass(40);
      expect(alice.copy.rev).toBe(1);
    },
  ],
  maxAllUnconfirmedBytes: [
    "while the outcomes of all weigh more, the client with the most may not go on until it confirms, and every other client may",
    { maxAllUnconfirmedBytes: 5_000 },
    (room) => {
      const [alice, bob] = [room.join("actor-alice"), room.join("actor-bob")];
      alice.push(...Array.from({ length: 20 }, () => ["refuse", { text: textOf(1_000) }] as const));
      bob.push(edit, edit);
      room.pass(40);
      expect([errorsOf(alice), errorsOf(bob)]).toEqual([["rate-limited"], []]);
      expect(bob.copy.lastCallId).toBe(2);
      const { lastCallId } = alice.copy;
      expect(lastCallId).toBeLessThan(10);
      alice.send({
        kind: "push",
        first: lastCallId + 1,
        calls: [[0, ...edit] as never],
        confirmed: lastCallId,
      });
      room.pass(40);
      expect(alice.copy.lastCallId).toBe(lastCallId + 1);
    },
  ],
  checksumIntervalMs: [
    "updates carry the checksums no more often, and whatever the clock does they do again",
    { checksumIntervalMs: 1_000, flushIntervalMs: 0 },
    (room) => {
      const alice = room.join("actor-alice");
      const carries = () => {
        alice.push(edit);
        return alice.take().map((frame) => "checksums" in frame);
      };
      expect([carries(), carries()]).toEqual([[true], [false]]);
      room.pass(999);
      expect(carries()).toEqual([false]);
      room.pass(1);
      expect(carries()).toEqual([true]);
      room.now -= dayMs;
      expect(carries()).toEqual([true]);
    },
  ],
  maxHookWrites: [
    "hooks that write in answer to their own writes are refused the next one, and the room goes on",
    { maxHookWrites: 3 },
    (room) => {
      const writeAgain = () => {
        room.room.transact((tx) => tx["notes"]?.put("again", { text: "" }));
      };
      room.rules.onCommit = writeAgain;
      const alice = room.join("actor-alice");
      expect(outcomesOf(room, alice, edit)).toEqual([1]);
      expect(room.room.read().rev).toBe(4);
      expect(room.thrown.map(String)).toEqual([expect.stringMatching(/^HookLoopError: .*maxHookWrites/)]);
      expect(outcomesOf(room, alice, edit)).toEqual([5]);
      expect(room.room.read().rev).toBe(8);
    },
  ],
  maxTombstones: [
    "of deletions as many are remembered, over a sleep too, and the oldest are forgotten first",
    { maxTombstones: 2, maxRingFlushes: 4, flushIntervalMs: 0 },
    (room) => {
      const alice = room.join("actor-alice");
      for (const id of ["a", "b", "c"]) alice.push(put("shapes", id, { x: 0, y: 0 }), remove("shapes", id));
      alice.push(edit);
      const known = () =>
        ["a", "b", "c"].map((id) => room.room.roomState.authorship.changedByOthers("shapes", id, "else", 0));
      expect(known()).toEqual([false, true, true]);
      room.evict();
      expect(known()).toEqual([false, true, true]);
    },
  ],
  longOrderKeyLength: [
    "a key of more characters is made anew where it is, and one of as many is not",
    { longOrderKeyLength: 10 },
    (room) => {
      const alice = room.join("actor-alice");
      const fits = `a0${"z".repeat(8)}`;
      const long = `a0${"z".repeat(9)}`;
      alice.push(card("a", fits), card("b", long), card("c", "a2"));
      const { records } = room.room.read();
      expect([records.get("cards", "a"), records.ids("cards", "place")]).toEqual([
        { title: "", place: fits },
        ["a", "b", "c"],
      ]);
      expect(placesOf(room)["b"]?.length).toBeLessThan(10);
    },
  ],
  maxShortenedOrderKeys: [
    "keys around a long one are made anew as well, but no more than that, and else it stays",
    { longOrderKeyLength: 16, maxShortenedOrderKeys: 4 },
    (room) => {
      const alice = room.join("actor-alice");
      const dense = (digit: string) => `a0${"z".repeat(13)}${digit}`; // of 16 characters, and nothing as short is between them
      for (const digit of "ABCDEFGHIJ") alice.push(card(digit, dense(digit)));
      const before = placesOf(room);
      alice.push(card("long", `${dense("E")}V`));
      expect(placesOf(room)).toEqual({ ...before, long: `${dense("E")}V` });
      alice.push(card("same", dense("E"))); // where keys collide, they have to differ, however long they are
      const { same, ...others } = placesOf(room);
      expect(others).toEqual({ ...before, long: `${dense("E")}V` });
      expect(same).not.toBe(others["E"]);
    },
  ],
};

describe("each limit is enforced", () => {
  const table = Object.entries(cases).map(
    ([limit, [claim, limits, story]]) => [limit, claim, limits, story] as const,
  );
  it.each(table)("%s: %s", async (_limit, _claim, limits, story) => {
    expect.hasAssertions();
    await withLoneRoom({ limits }, story);
  });
});
