import { describe, expect, it } from "vitest";
import { AuthorshipIndex } from "../../../src/room/engine/authorship.ts";
import { Batch } from "../../../src/room/engine/batch.ts";
import { Handles } from "../../../src/room/storage/handles.ts";
import { LazyHistory } from "../../../src/room/storage/lazy-history.ts";
import { ClientLog } from "../../../src/room/engine/client-log/client-log.ts";
import type { RoomState } from "../../../src/room/storage/room-state.ts";
import { PageTable } from "../../../src/room/storage/page-table.ts";
import { PagedState } from "../../../src/room/storage/paged-state.ts";
import { State } from "../../../src/model/state.ts";
import { Broadcaster } from "../../../src/room/broadcast/broadcaster.ts";
import { SqliteStorage } from "../../../src/durable-object/sqlite-storage.ts";
import { reloadProblems } from "../../simulation/judges/state-check.ts";
import { idOf } from "../../support/clients/named-client.ts";
import { withLoneRoom, type LoneClient, type LoneRoom } from "../../support/rooms/lone-room.ts";
import { patch, put, remove } from "../../support/rooms/test-rooms.ts";
import type { Call } from "../../support/clients/wire-client.ts";

/** Every step that a call, a flush, a wake and a checkpoint take in other classes. */
const steps: readonly (readonly [of: { prototype: object }, ...methods: string[]])[] = [
  [State, "set", "loadRecords"],
  [PagedState, "get", "set"],
  [AuthorshipIndex, "note", "set", "load"],
  [PageTable, "touch"],
  [Handles, "take", "load"],
  [ClientLog, "execute", "see", "confirm", "evict", "takeChanged"],
  [Batch, "addOperation", "addAnswer", "toFlush"],
  [LazyHistory, "push", "trim"],
  [Broadcaster, "fanOut", "catchUp", "reply"],
  [SqliteStorage, "append", "checkpoint", "page", "create", "assertNewest"],
];

class Fault extends Error {}

type Method = (this: unknown, ...given: unknown[]) => unknown;

/** Has the step number `at`, of those that `run` takes, throw: before it has done anything, or behind it. Returns how many there were. */
function withFault(at: number, when: "before" | "behind", run: () => void): number {
  let taken = 0;
  const undo: (() => void)[] = [];
  for (const [{ prototype }, ...methods] of steps) {
    for (const name of methods) {
      const own = Object.getOwnPropertyDescriptor(prototype, name);
      const method = Reflect.get(prototype, name) as Method;
      Object.defineProperty(prototype, name, {
        configurable: true,
        writable: true,
        value: function (this: unknown, ...given: unknown[]): unknown {
          const isFaulty = taken++ === at;
          if (isFaulty && when === "before") throw new Fault(`before ${name}`);
          const result = method.apply(this, given);
          if (isFaulty) throw new Fault(`behind ${name}`);
          return result;
        },
      });
      undo.push(() => {
        if (own === undefined) Reflect.deleteProperty(prototype, name);
        else Object.defineProperty(prototype, name, own);
      });
    }
  }
  try {
    run();
  } finally {
    for (const restore of undo.toReversed()) restore();
  }
  return taken;
}

/** Does what throws a fault in the platform's hands. */
function survive(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof Fault))
      expect(String(error)).toMatch(/storage failed|came to nothing|^Error: internal$/);
  }
}

function push(client: LoneClient, ...calls: readonly Call[]): void {
  if (client.closed === undefined) survive(() => client.push(...calls));
}

/** Calls, refusals, private edits of the room, a leave, a join and a checkpoint, over pages that were not read yet. */
function story(lone: LoneRoom, alice: LoneClient, bob: LoneClient): void {
  push(alice, patch("notes", "n1", { text: "changed" }), put("shapes", "s", { x: 1, y: 1 }));
  push(bob, remove("notes", "n2"), ["stumble", {}], ["celebrate", { text: "hi" }]);
  survive(() => lone.pass(100));
  survive(() => lone.room.transact((tx) => tx["notes"]?.put("room", { text: "own" })));
  survive(() =>
    lone.room.call({ clientId: "rpc:1", user: null, access: "write" }, "addUp", { id: "u", by: 1 }),
  );
  survive(() => alice.leave());
  survive(() => void lone.join("actor-carol"));
  push(bob, ...Array.from({ length: 6 }, (_, x) => put("shapes", "s", { x, y: 2 })));
  survive(() => lone.pass(5_000));
}

/** The outcomes that no client has confirmed: what one confirms is on disk with the next flush only. */
function clientLogOf({ clientLog }: RoomState, newest: RoomState): unknown {
  return [idOf("actor-alice"), idOf("actor-bobby"), "rpc:1"].map((clientId) => {
    const { lastCallId, answers } = clientLog.get(clientId) ?? { lastCallId: 0, answers: [] };
    const confirmed = newest.clientLog.get(clientId)?.confirmed ?? 0;
    return [clientId, lastCallId, answers.filter(([clientReqId]) => clientReqId > confirmed)];
  });
}

function expectStateIsStored(lone: LoneRoom, step: number): void {
  lone.room.flush();
  const { roomState } = lone.room;
  const woken = lone.rival().room.roomState;
  expect(reloadProblems(roomState, woken, true), `after a fault in step ${step}`).toEqual([]);
  expect(clientLogOf(roomState, roomState)).toEqual(clientLogOf(woken, roomState));
  expect(roomState.history.since(0)?.body).toEqual(woken.history.since(0)?.body);
}

describe.each(["before", "behind"] as const)("an error %s any step", (when) => {
  it("leaves memory what disk says, and the room at work", { timeout: 120_000 }, async () => {
    let count = Infinity;
    for (let at = 0; at < count; at++) {
      await withLoneRoom({ limits: { maxRingFlushes: 4, pageBytes: 256 } }, (lone) => {
        const seed = lone.join("actor-seeds");
        for (let note = 0; note < 12; note++) {
          seed.push(put("notes", `n${note}`, { text: "x".repeat(60) }));
          lone.pass(100);
        }
        seed.leave();
        lone.evict();
        const [alice, bob] = [lone.join("actor-alice"), lone.join("actor-bobby")];
        count = withFault(at, when, () => story(lone, alice, bob));
        if (at >= count) return;
        expectStateIsStored(lone, at);
        const { rev } = lone.room.read();
        // A session that was closed comes back, and is caught up then.
        expect(bob.closed === undefined ? bob.copy.rev : rev, `step ${at}`).toBe(rev);
        const dave = lone.join("actor-david");
        dave.push(put("notes", "last", { text: "still here" }));
        lone.pass(100);
        expect(dave.copy.outcomes.get(1)).toEqual(expect.any(Number));
        expectStateIsStored(lone, at);
        expect(lone.aborted).toBeUndefined();
      });
    }
    expect(count).toBeGreaterThan(100);
  });
});
