/* oxlint-disable vitest/no-standalone-expect -- limits.test.ts runs them */
import { expect } from "vitest";
import { defaultLimits, type Limits } from "../../../src/room/limits.ts";
import type { Identity } from "../../../src/room/sessions/admission.ts";
import { StateReads, type StateRead } from "../../../src/durable-object/state-reads.ts";
import type { LoneClient, LoneRoom } from "../../support/rooms/lone-room.ts";
import { put } from "../../support/rooms/test-rooms.ts";

/** What a limit is for, the limits of a small room, and what happens in it. */
export type LimitCase = readonly [
  claim: string,
  limits: Partial<Limits>,
  story: (room: LoneRoom) => void | Promise<void>,
];

const edit = put("shapes", "s", { x: 1, y: 1 });
const garbage = "{";
const wave = (payload: object) => ({ kind: "event", event: "wave", payload }) as never;
const resync = (tag: number) => ({ kind: "resync", tag, epoch: null, rev: 0, confirmed: 0 }) as const;
const as = (id: string): Identity => ({ user: { id, name: id }, access: "write" });

/** The errors among the frames that a client has not taken yet. */
function answersTo(client: LoneClient) {
  return client.take().flatMap((frame) => (frame.kind === "error" ? [frame] : []));
}

const tooMuch = (retryAfterMs: number) =>
  expect.objectContaining({ code: "rate-limited", retryAfterMs }) as unknown;

/** Reads of a large state. */
export function readsOf({ clock }: LoneRoom, limits: Partial<Limits>) {
  const reads = new StateReads({ ...defaultLimits, ...limits }, clock);
  const opened: StateRead[] = [];
  const record = { text: "x".repeat(65_536) };
  const ids = Array.from({ length: 100 }, (_, index) => `note-${index}`);
  const show = () => ({
    epoch: "epoch",
    rev: 1,
    partitions: [{ name: "notes", ids, records: ids.map(() => record) }],
  });
  const open = (owner: string, key = "1", bytes = 1) => {
    const read = reads.open(owner, key, bytes, show);
    if (typeof read === "number") return read;
    opened.push(read);
    return "begun";
  };
  return { reads, opened, open };
}

/** Does what it is told beside somebody who works, and who must not notice; of it, nothing may be left in the state. */
function besideBob<T>(room: LoneRoom, abuse: () => T): T {
  const bob = room.join("actor-bob", {}, as("bob"));
  const work = () => {
    bob.push(put("shapes", "bobs", { x: bob.copy.lastCallId, y: 0 }));
    room.pass(100);
    bob.send({ kind: "ack", bytes: bob.sentBytes });
    return bob.copy.lastCallId;
  };
  expect(work()).toBe(1);
  const before = room.collections;
  const result = abuse();
  expect(room.collections).toEqual(before);
  expect([work(), bob.closed]).toEqual([2, undefined]);
  expect(answersTo(bob)).toEqual([]);
  return result;
}

/** Comes, and answers what is told of it; whoever was let in leaves again. */
function comes(room: LoneRoom, clientId: string, identity?: Identity): string {
  try {
    room.join(clientId, {}, identity).leave();
    return "in";
  } catch (error) {
    return (error as Error).message;
  }
}

/** What a call and an event with this payload are answered, in the room. */
function fateOf(room: LoneRoom, alice: LoneClient, text: object): unknown[] {
  const first = alice.push(["addTask", { id: `t${alice.seen.length}`, title: "", ...text }]);
  room.pass(100);
  alice.send(wave({ text: "", ...text }));
  return [alice.copy.outcomes.get(first), ...answersTo(alice).map(({ code }) => code)];
}

/** A room with `bytes` of text in it, which are on their pages. */
function fill(room: LoneRoom, bytes: number): void {
  const writer = room.join("actor-writer", {}, as("writer"));
  writer.push(put("notes", "long", { text: "x".repeat(bytes) }));
  room.pass(10_000);
  writer.leave();
}

/** One for each limit that there is against those who want too much. */
export const abuseLimitCases = {
  maxIdLength: [
    "a record under a longer id is rejected, whichever way it comes",
    { maxIdLength: 10 },
    (room) => {
      const alice = room.join("actor-alice");
      besideBob(room, () => {
        alice.push(put("shapes", "x".repeat(11), { x: 1, y: 1 }), [
          "addTask",
          { id: "x".repeat(11), title: "" },
        ]);
        room.pass(100);
        expect([...alice.copy.outcomes.values()]).toMatchObject([{ code: "invalid" }, { code: "invalid" }]);
      });
      alice.push(put("shapes", "x".repeat(10), { x: 1, y: 1 }));
      room.pass(100);
      expect(alice.copy.outcomes.get(3)).toEqual(expect.any(Number));
    },
  ],
  maxDepth: [
    "what is nested deeper is refused, and its caller may go on",
    { maxDepth: 4 },
    (room) => {
      const alice = room.join("actor-alice");
      const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
      besideBob(room, () =>
        expect(fateOf(room, alice, { more: nested(9) })).toMatchObject([{ code: "invalid" }, "invalid"]),
      );
      expect(fateOf(room, alice, { more: nested(3) })).toEqual([expect.any(Number)]);
    },
  ],
  maxKeyLength: [
    "a key of more characters is refused",
    { maxKeyLength: 10 },
    (room) => {
      const alice = room.join("actor-alice");
      besideBob(room, () =>
        expect(fateOf(room, alice, { ["k".repeat(11)]: 1 })).toMatchObject([{ code: "invalid" }, "invalid"]),
      );
      expect(fateOf(room, alice, { ["k".repeat(10)]: 1 })).toEqual([expect.any(Number)]);
    },
  ],
  maxKeys: [
    "an object with more keys is refused",
    { maxKeys: 5 },
    (room) => {
      const alice = room.join("actor-alice");
      const keys = (count: number) =>
        Object.fromEntries(Array.from({ length: count }, (_, key) => [`k${key}`, 1]));
      besideBob(room, () =>
        expect(fateOf(room, alice, { more: keys(6) })).toMatchObject([{ code: "invalid" }, "invalid"]),
      );
      expect(fateOf(room, alice, { more: keys(5) })).toEqual([expect.any(Number)]);
    },
  ],
  framesBurst: [
    "messages beyond it are not read, of whatever kind they are",
    { framesBurst: 5, framesPerSecond: 10 },
    (room) => {
      const alice = room.join("actor-alice");
      besideBob(room, () => {
        for (let acks = 0; acks < 5; acks++) alice.send({ kind: "ack", bytes: 0 });
        expect(answersTo(alice)).toEqual([]);
        for (const send of [
          () => alice.send({ kind: "ack", bytes: 0 }),
          () => alice.sendRaw(garbage),
          () => alice.pushAt(1, edit),
        ]) {
          send();
          expect(answersTo(alice)).toEqual([tooMuch(100)]);
        }
      });
      room.pass(100);
      alice.pushAt(1, edit);
      room.pass(100);
      expect(alice.copy.lastCallId).toBe(1);
    },
  ],
  framesPerSecond: [
    "so many messages come back in a second",
    { framesBurst: 1, framesPerSecond: 10 },
    (room) => {
      const alice = room.join("actor-alice");
      const refused = () => {
        alice.send({ kind: "ack", bytes: 0 });
        return answersTo(alice).length > 0;
      };
      expect([refused(), refused()]).toEqual([false, true]);
      room.pass(100);
      expect([refused(), refused()]).toEqual([false, true]);
    },
  ],
  frameBytesBurst: [
    "messages that weigh more together are not read, and no more after the one that passes it",
    { frameBytesBurst: 1_000, frameBytesPerSecond: 1_000 },
    (room) => {
      const alice = room.join("actor-alice");
      besideBob(room, () => {
        alice.sendRaw("x".repeat(1_500));
        expect(answersTo(alice)).toMatchObject([{ code: "invalid" }]);
        alice.pushAt(1, edit);
        expect(answersTo(alice)).toEqual([tooMuch(501)]);
      });
      room.pass(401);
      alice.pushAt(1, edit);
      room.pass(100);
      expect(alice.copy.lastCallId).toBe(1);
    },
  ],
  frameBytesPerSecond: [
    "so many bytes come back in a second",
    { frameBytesBurst: 1_000, frameBytesPerSecond: 100 },
    (room) => {
      const alice = room.join("actor-alice");
      const refused = (bytes: number) => {
        alice.sendRaw("x".repeat(bytes));
        return answersTo(alice).some(({ code }) => code === "rate-limited");
      };
      expect([refused(1_000), refused(1)]).toEqual([false, true]);
      room.pass(500);
      expect([refused(50), refused(1)]).toEqual([false, true]);
    },
  ],
  refusalsBurst: [
    "who goes on in spite of so many refusals is closed, and does not come in before it was told to",
    { refusalsBurst: 5, refusalsPerSecond: 1 },
    (room) => {
      const alice = room.join("actor-alice");
      const refusals = besideBob(room, () => {
        for (let message = 0; message < 20 && alice.closed === undefined; message++) alice.sendRaw(garbage);
        return answersTo(alice);
      });
      expect(refusals.map(({ code }) => code)).toEqual([...Array<string>(6).fill("invalid"), "rate-limited"]);
      expect(refusals.at(-1)).toEqual(tooMuch(11_000));
      expect(alice.closed).toEqual({ closeCode: 4429, reason: "rate-limited" });
      expect(comes(room, "actor-alice")).toBe("rate-limited");
      room.pass(10_800);
      expect(comes(room, "actor-alice")).toBe("rate-limited");
      room.pass(100);
      expect(comes(room, "actor-alice")).toBe("in");
      expect(room.join("actor-carol").closed).toBeUndefined();
    },
  ],
  refusalsPerSecond: [
    "who is refused no more often is never closed",
    { refusalsBurst: 2, refusalsPerSecond: 1 },
    (room) => {
      const alice = room.join("actor-alice");
      besideBob(room, () => {
        for (let message = 0; message < 100; message++) {
          alice.sendRaw(garbage);
          alice.send({ kind: "ack", bytes: alice.sentBytes });
          room.pass(1_000);
        }
      });
      expect(alice.closed).toBeUndefined();
    },
  ],
  resyncsBurst: [
    "who asks for more catch-ups is closed, since it would wait for what it was refused",
    { resyncsBurst: 3 },
    (room) => {
      const alice = room.join("actor-alice");
      besideBob(room, () => {
        for (let tag = 1; tag <= 4; tag++) {
          expect(alice.closed).toBeUndefined();
          alice.send(resync(tag));
        }
      });
      expect(answersTo(alice)).toEqual([tooMuch(1_000)]);
      expect(alice.closed).toEqual({ closeCode: 4429, reason: "rate-limited" });
    },
  ],
  resyncsPerSecond: [
    "so many catch-ups come back in a second",
    { resyncsBurst: 1, resyncsPerSecond: 0.5 },
    (room) => {
      const alice = room.join("actor-alice");
      for (let tag = 1; tag <= 3; tag++) {
        alice.send(resync(tag));
        room.pass(2_000);
      }
      expect(alice.closed).toBeUndefined();
      alice.send(resync(4));
      alice.send(resync(5));
      expect(alice.closed?.reason).toBe("rate-limited");
    },
  ],
  catchUpBytesBurst: [
    "who was sent so much comes in no more, and is sent no more by asking, and everybody else is",
    { catchUpBytesBurst: 30_000, catchUpBytesPerSecond: 1_000, pageBytes: 512 },
    (room) => {
      fill(room, 20_000);
      besideBob(room, () => {
        expect([comes(room, "actor-alice"), comes(room, "actor-alice")]).toEqual(["in", "in"]);
        expect(comes(room, "actor-alice")).toBe("rate-limited");
        expect(comes(room, "actor-carol")).toBe("in");
      });
      const dora = room.join("actor-dora");
      dora.send(resync(1));
      expect(dora.closed).toBeUndefined();
      dora.send(resync(2));
      expect(dora.closed?.reason).toBe("rate-limited");
    },
  ],
  catchUpBytesPerSecond: [
    "so many of those bytes come back in a second",
    { catchUpBytesBurst: 10_000, catchUpBytesPerSecond: 1_000 },
    (room) => {
      fill(room, 20_000);
      expect([comes(room, "actor-alice"), comes(room, "actor-alice")]).toEqual(["in", "rate-limited"]);
      room.pass(9_000);
      expect(comes(room, "actor-alice")).toBe("rate-limited");
      room.pass(4_000);
      expect(comes(room, "actor-alice")).toBe("in");
    },
  ],
  rejoinsBurst: [
    "who connects more often has to wait, with another client of the same user too",
    { rejoinsBurst: 3 },
    (room) => {
      besideBob(room, () => {
        const alices = ["actor-alice1", "actor-alice2", "actor-alice3", "actor-alice4"];
        expect(alices.map((clientId) => comes(room, clientId, as("alice")))).toEqual([
          "in",
          "in",
          "in",
          "rate-limited",
        ]);
        const carol = () => comes(room, "actor-carol");
        expect([carol(), carol(), carol(), carol()]).toEqual(["in", "in", "in", "rate-limited"]);
        expect(comes(room, "actor-dora", as("dora"))).toBe("in");
      });
    },
  ],
  rejoinsPerSecond: [
    "so many connections come back in a second",
    { rejoinsBurst: 1, rejoinsPerSecond: 0.5 },
    (room) => {
      const alice = () => comes(room, "actor-alice");
      expect([alice(), alice()]).toEqual(["in", "rate-limited"]);
      room.pass(2_000);
      expect([alice(), alice()]).toEqual(["in", "rate-limited"]);
    },
  ],
  joinsBurst: [
    "of people without a user no more come at once, which holds up nobody who has one or was here",
    { joinsBurst: 3, joinsPerSecond: 0.1 },
    (room) => {
      const alice = room.join("actor-alice");
      besideBob(room, () => {
        const strangers = ["actor-str1", "actor-str2", "actor-str3"];
        expect(strangers.map((clientId) => comes(room, clientId))).toEqual(["in", "in", "rate-limited"]);
        expect(comes(room, "actor-str1")).toBe("in");
        expect(comes(room, "actor-carol", as("carol"))).toBe("in");
      });
      room.join("actor-alice").leave();
      expect(alice.closed?.reason).toBe("replaced");
      expect(comes(room, "actor-alice")).toBe("in");
    },
  ],
  joinsPerSecond: [
    "so many of them may come in a second",
    { joinsBurst: 1, joinsPerSecond: 2 },
    (room) => {
      expect([comes(room, "actor-str1"), comes(room, "actor-str2")]).toEqual(["in", "rate-limited"]);
      room.pass(500);
      expect([comes(room, "actor-str2"), comes(room, "actor-str3")]).toEqual(["in", "rate-limited"]);
    },
  ],
  readsBurst: [
    "who reads the state more often waits, and nobody else does",
    { readsBurst: 2, readsPerSecond: 1 },
    ({ room }) => {
      const read = (user: unknown) => room.takeRead(user as never);
      expect([read(null), read(null), read(null)]).toEqual([0, 0, 1_000]);
      expect([read({ id: "alice" }), read({ id: "alice" }), read({ id: "alice" })]).toEqual([0, 0, 1_000]);
      expect(read({ id: "bob" })).toBe(0);
    },
  ],
  readsPerSecond: [
    "so many reads come back in a second",
    { readsBurst: 1, readsPerSecond: 2 },
    (lone) => {
      const read = () => lone.room.takeRead(null);
      expect([read(), read()]).toEqual([0, 500]);
      lone.pass(500);
      expect([read(), read()]).toEqual([0, 500]);
    },
  ],
  workBurst: [
    "a session whose calls are more work waits, however few they are, and nobody else does",
    { workBurst: 10_000, workPerSecond: 5_000 },
    (room) => {
      const [alice, bob] = [room.join("actor-alice"), room.join("actor-bob")];
      alice.push(["fill", { count: 20, chars: 500 }]);
      room.pass(10);
      alice.take();
      const first = alice.push(["fill", { count: 20, chars: 500 }]);
      const [error] = answersTo(alice);
      expect(error).toMatchObject({ code: "rate-limited", clientReqId: first });
      bob.push(edit);
      room.pass(100);
      expect(bob.copy.lastCallId).toBe(1);
    },
  ],
  workPerSecond: [
    "so much work comes back in a second",
    { workBurst: 10_000, workPerSecond: 5_000 },
    (room) => {
      const alice = room.join("actor-alice");
      const fill = ["fill", { count: 20, chars: 500 }] as const;
      alice.push(fill);
      const first = alice.push(fill);
      const { retryAfterMs = 0 } = answersTo(alice)[0] ?? {};
      expect(retryAfterMs).toBeGreaterThan(1_000);
      room.pass(retryAfterMs);
      alice.pushAt(first, fill);
      expect(answersTo(alice)).toEqual([]);
    },
  ],
  userCallsBurst: [
    "all clients of a user make no more calls at once, and another user as many as ever",
    { userCallsBurst: 10, userCallsPerSecond: 5 },
    (room) => {
      const tabs = [1, 2, 3].map((tab) => room.join(`actor-alice${tab}`, {}, as("alice")));
      for (const tab of tabs) for (let call = 0; call < 5; call++) tab.push(edit);
      expect(tabs.map((tab) => answersTo(tab).map(({ code }) => code))).toEqual([
        [],
        [],
        expect.arrayContaining(["rate-limited"]),
      ]);
      const bob = room.join("actor-bob", {}, as("bob"));
      for (let call = 0; call < 5; call++) bob.push(edit);
      room.pass(100);
      expect(bob.copy.lastCallId).toBe(5);
    },
  ],
  userCallsPerSecond: [
    "so many calls of a user come back in a second",
    { userCallsBurst: 1, userCallsPerSecond: 2 },
    (room) => {
      const [one, two] = ["actor-alice1", "actor-alice2"].map((clientId) =>
        room.join(clientId, {}, as("alice")),
      ) as [LoneClient, LoneClient];
      one.push(edit);
      two.pushAt(1, edit);
      expect(answersTo(two)).toEqual([tooMuch(500)]);
      room.pass(500);
      two.pushAt(1, edit);
      room.pass(100);
      expect(two.copy.lastCallId).toBe(1);
    },
  ],
  userEphemeralBurst: [
    "all clients of a user send no more presence and events at once, and another user as many as ever",
    { userEphemeralBurst: 4, userEphemeralPerSecond: 1 },
    (room) => {
      const tabs = [1, 2].map((tab) => room.join(`actor-alice${tab}`, {}, as("alice")));
      for (const tab of tabs) for (let event = 0; event < 3; event++) tab.send(wave({ text: "" }));
      const bob = room.join("actor-bob", {}, as("bob"));
      for (let event = 0; event < 4; event++) bob.send(wave({ text: "" }));
      expect([...tabs, bob].map((client) => answersTo(client).length)).toEqual([0, 2, 0]);
    },
  ],
  userEphemeralPerSecond: [
    "so many of those messages come back in a second",
    { userEphemeralBurst: 1, userEphemeralPerSecond: 2 },
    (room) => {
      const [one, two] = ["actor-alice1", "actor-alice2"].map((clientId) =>
        room.join(clientId, {}, as("alice")),
      ) as [LoneClient, LoneClient];
      one.send(wave({ text: "" }));
      two.send(wave({ text: "" }));
      expect(answersTo(two)).toEqual([tooMuch(500)]);
      room.pass(500);
      two.send(wave({ text: "" }));
      expect(answersTo(two)).toEqual([]);
    },
  ],
  allWorkPerSecond: [
    "when all together have more done, those who had the most of it done wait, and nobody else does",
    { allWorkPerSecond: 200_000 },
    (room) => {
      const fill = ["fill", { count: 20, chars: 500 }] as const;
      const crowd = [1, 2, 3, 4].map((n) => room.join(`actor-stranger${n}`));
      const [small, bob] = [room.join("actor-small"), room.join("actor-bob", {}, as("bob"))];
      for (let round = 0; round < 4; round++) for (const stranger of crowd) stranger.push(fill);
      for (const other of [small, bob]) {
        other.push(edit);
        other.send(wave({ text: "" }));
      }
      const errors = crowd.map(answersTo);
      for (const [error] of errors) expect(error).toMatchObject({ code: "rate-limited", retryAfterMs: 500 });
      expect([answersTo(small), answersTo(bob)]).toEqual([[], []]);
      room.pass(500);
      expect([small.copy.lastCallId, bob.copy.lastCallId]).toEqual([1, 1]);
      for (const stranger of crowd) stranger.pushAt(stranger.copy.lastCallId + 1, edit);
      room.pass(100);
      expect(crowd.map(answersTo)).toEqual([[], [], [], []]);
    },
  ],
  readBytesBurst: [
    "who was sent so many bytes of the state waits, and nobody else does",
    { readBytesBurst: 1_000, readBytesPerSecond: 500 },
    ({ room }) => {
      const read = (user: unknown, bytes: number) => {
        const waitMs = room.takeRead(user as never);
        if (waitMs === 0) room.spendRead(user as never, bytes);
        return waitMs;
      };
      expect([read(null, 900), read(null, 600), read(null, 1)]).toEqual([0, 0, 2_000]);
      expect(read({ id: "alice" }, 1)).toBe(0);
    },
  ],
  readBytesPerSecond: [
    "so many bytes of reads come back in a second",
    { readBytesBurst: 1_000, readBytesPerSecond: 500 },
    (lone) => {
      lone.room.spendRead(null, 1_500);
      expect(lone.room.takeRead(null)).toBe(2_000);
      lone.pass(2_000);
      expect(lone.room.takeRead(null)).toBe(0);
    },
  ],
  maxReads: [
    "as many answers to GET are under way, and who has the most of them waits",
    { maxReads: 2 },
    (lone) => {
      const { open } = readsOf(lone, { maxReads: 2 });
      expect([open("alice"), open("alice"), open("alice")]).toEqual(["begun", "begun", 1_000]);
      expect(open("bob")).toBe("begun");
    },
  ],
  maxReadBytes: [
    "states of different revisions are held up to as many bytes, and one in any case",
    { maxReadBytes: 1_000 },
    (lone) => {
      const { open } = readsOf(lone, { maxReadBytes: 1_000 });
      expect([open("alice", "1", 5_000), open("alice", "1", 5_000)]).toEqual(["begun", "begun"]);
      expect(open("alice", "2", 10)).toBe(1_000);
    },
  ],
  maxReadStallMs: [
    "an answer of which nothing was read for so long is cut",
    { maxReadStallMs: 5_000 },
    (lone) => {
      const { open, reads } = readsOf(lone, { maxReadStallMs: 5_000 });
      open("alice");
      lone.pass(4_999);
      expect(reads.size).toBe(1);
      lone.pass(1);
      expect([reads.size, lone.hasTimer]).toEqual([0, false]);
    },
  ],
  maxReadMs: [
    "an answer that takes longer is cut, although it is read",
    { maxReadMs: 5_000 },
    (lone) => {
      const { open, reads, opened } = readsOf(lone, { maxReadMs: 5_000 });
      open("alice");
      for (let second = 0; second < 5; second++) {
        opened[0]?.next();
        lone.pass(1_000);
      }
      expect(reads.size).toBe(0);
    },
  ],
  maxLeavers: [
    "of as many who left it is remembered what they used up, and the first are forgotten first",
    { maxLeavers: 2, rejoinsBurst: 1, rejoinsPerSecond: 0.001 },
    (room) => {
      for (const clientId of ["actor-alice", "actor-bob", "actor-carol"])
        expect(comes(room, clientId)).toBe("in");
      expect([comes(room, "actor-bob"), comes(room, "actor-carol")]).toEqual([
        "rate-limited",
        "rate-limited",
      ]);
      expect(comes(room, "actor-alice")).toBe("in");
    },
  ],
  maxSessionsWithoutUser: [
    "clients without a user take no more places, over a sleep too, and users come in",
    { maxSessions: 5, maxSessionsWithoutUser: 2 },
    (room) => {
      const strangers = ["actor-str1", "actor-str2"].map((clientId) => room.join(clientId));
      besideBob(room, () => {
        expect(comes(room, "actor-str3")).toBe("room-full");
        room.evict();
        expect(comes(room, "actor-str3")).toBe("room-full");
        expect(comes(room, "actor-alice", as("alice"))).toBe("in");
        room.join("actor-str1").leave(); // it had its place already
      });
      expect(strangers.map(({ closed }) => closed?.reason)).toEqual(["replaced", undefined]);
      expect(comes(room, "actor-str3")).toBe("in");
    },
  ],
  maxSessionsPerUser: [
    "a user with so many has no more, over a sleep too, until one leaves, and everybody else comes in",
    { maxSessionsPerUser: 2 },
    (room) => {
      const alice = room.join("actor-alice1", {}, as("alice"));
      room.join("actor-alice2", {}, as("alice"));
      besideBob(room, () => {
        expect(comes(room, "actor-alice3", as("alice"))).toBe("room-full");
        room.evict();
        expect(comes(room, "actor-alice3", as("alice"))).toBe("room-full");
        expect(comes(room, "actor-carol", as("carol"))).toBe("in");
        expect(comes(room, "actor-dora")).toBe("in");
        room.join("actor-alice1", {}, as("alice")).leave();
        expect(alice.closed?.reason).toBe("replaced");
      });
      expect(comes(room, "actor-alice3", as("alice"))).toBe("in");
    },
  ],
  maxStallMs: [
    "who owes acknowledgements for so long is closed, though it pings and over a sleep too, and who makes good is not",
    { maxStallMs: 5_000, maxUnacknowledgedFrames: 8, flushIntervalMs: 0 },
    (room) => {
      const [alice, stalled, slow] = [
        room.join("actor-alice"),
        room.join("actor-stall"),
        room.join("actor-slow"),
      ];
      for (let x = 0; x < 10; x++) {
        alice.push(put("shapes", "s", { x, y: 0 }));
        alice.send({ kind: "ack", bytes: alice.sentBytes });
      }
      const rest = (ms: number) => {
        for (const client of [alice, stalled, slow]) client.ping();
        room.pass(ms);
      };
      rest(4_000);
      room.evict();
      slow.send({ kind: "ack", bytes: slow.sentBytes });
      rest(999);
      expect(stalled.closed).toBeUndefined();
      rest(1);
      expect([stalled.closed, slow.closed, alice.closed]).toEqual([
        { closeCode: 4408, reason: "timeout" },
        undefined,
        undefined,
      ]);
      alice.push(edit);
      expect([alice.copy.rev, slow.copy.rev]).toEqual([11, 11]);
    },
  ],
  maxIdleMs: [
    "who has done nothing for so long is closed for good, whatever it acknowledges and however often the room has slept",
    { maxIdleMs: 60_000, maxSilenceMs: Infinity },
    (room) => {
      const [idle, busy] = [room.join("actor-idle"), room.join("actor-busy")];
      for (let seconds = 0; seconds < 60; seconds += 10) {
        busy.push(edit);
        for (const client of [idle, busy]) {
          client.send({ kind: "ack", bytes: client.sentBytes });
          client.ping();
        }
        expect(idle.closed).toBeUndefined();
        room.evict();
        room.pass(10_000);
      }
      expect(idle.closed).toEqual({ closeCode: 4428, reason: "idle" });
      expect(busy.closed).toBeUndefined();
    },
  ],
  maxAllUnacknowledgedBytes: [
    "when all owe more together, who owes most is sent nothing more, and who reads goes on",
    { maxAllUnacknowledgedBytes: 600_000, maxUnacknowledgedBytes: 200_000, flushIntervalMs: 0 },
    (room) => {
      const alice = room.join("actor-alice");
      const stalled = ["a", "b", "c", "d", "e"].map((name) => room.join(`actor-stalled-${name}`));
      for (let flush = 0; flush < 60; flush++) {
        alice.push(put("notes", `n${flush}`, { text: "x".repeat(10_000) }));
        alice.send({ kind: "ack", bytes: alice.sentBytes });
        expect(alice.copy.rev).toBe(flush + 1);
      }
      const owed = stalled.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
      expect(owed).toBeLessThan(450_000); // two thirds, and a frame for each
      expect(owed).toBeGreaterThan(350_000);
      for (const client of stalled) {
        client.send({ kind: "ack", bytes: client.sentBytes });
        client.send({ kind: "ack", bytes: client.sentBytes });
      }
      for (const client of stalled) expect(client.copy.collections).toEqual(room.collections);
    },
  ],
} as const satisfies { readonly [L in keyof Limits]?: LimitCase };
