import { describe, expect, test } from "vitest";
import { newPrivateRoom } from "../../support/rooms/test-rooms.ts";
import { enter, expectAgreement, outcomeOf, until } from "../../support/clients/joined-client.ts";

/** A token that is good for so long. */
const good = (ms: number, who = "user:alice") => `${who}@${Date.now() + ms}`;

describe("a token that expires while its session lasts", () => {
  test("is taken the place of, and what is done meanwhile is committed exactly once, without a failure", async () => {
    const at = newPrivateRoom();
    const asked: boolean[] = [];
    const one = await enter(at, {
      token: (isRefused) => {
        asked.push(isRefused);
        return good(600);
      },
    });
    const bob = await enter(at, { token: () => "user:bob" });
    const statuses: string[] = [];
    one.room.on("status", (status) => statuses.push(status));
    const calls: Promise<string | number>[] = [];
    for (const started = Date.now(); Date.now() - started < 2_500;) {
      calls.push(outcomeOf(one.room.mutate.addUp({ id: "sum", by: 1 })));
      await new Promise((resolve) => setTimeout(resolve, 7));
    }
    const revs = await Promise.all(calls);
    expect(new Set(revs).size).toBe(calls.length);
    const { shapes } = await expectAgreement(at, one, bob);
    expect(shapes).toEqual({ sum: { x: calls.length, y: 0 } });
    expect(asked.length).toBeGreaterThanOrEqual(3);
    expect(asked).toEqual([false, ...asked.slice(1).map(() => true)]);
    expect(new Set(statuses)).toEqual(new Set(["connecting", "online"]));
    expect([one.errors, bob.link.hellos.length]).toEqual([[], 1]);
  });

  test("while the room sleeps has the client come back by itself", async () => {
    const at = newPrivateRoom();
    const one = await enter(at, { token: (isRefused) => good(isRefused ? 60_000 : 1_000) });
    await at.evict();
    await until(() => one.link.hellos.length === 2);
    expect(await one.room.mutate.addUp({ id: "sum", by: 1 }).committed).toEqual({ rev: 1 });
  });

  test("and is followed by one of somebody else ends the session: nobody's calls are taken for another's", async () => {
    const at = newPrivateRoom();
    const one = await enter(at, { token: (isRefused) => (isRefused ? "user:mallory" : good(500)) });
    one.link.hold("up"); // so that nothing of Alice's has arrived yet
    const call = one.room.mutate.addTask({ id: "t", title: "Alice's" });
    await until(() => one.room.status === "closed");
    expect(one.room.closeReason).toBe("id-conflict");
    expect(one.errors.splice(0)).toEqual(["id-conflict"]);
    expect([call.status, (await at.json()).rev]).toEqual(["pending", 0]);
  });

  test("and is followed by one of somebody else, when nothing waits, is theirs from then on", async () => {
    const at = newPrivateRoom();
    const one = await enter(at, { token: (isRefused) => (isRefused ? "user:bob" : good(500)) });
    await until(() => one.room.self.user?.id === "bob" && one.room.status === "online");
    await one.room.mutate.addTask({ id: "t", title: "Bob's" }).committed;
    await one.room.mutate.claim({ id: "t" }).committed;
    expect((await at.json()).collections["tasks"]).toEqual({ t: { title: "Bob's", assignee: "bob" } });
  });

  test("and is followed by one of a lower role has what waits undone", async () => {
    const at = newPrivateRoom();
    const one = await enter(at, { token: (isRefused) => (isRefused ? "reader:alice" : good(700)) });
    expect(await outcomeOf(one.room.mutate.addUp({ id: "sum", by: 1 }))).toBe(1);
    const told: unknown[] = [one.room.self.access];
    one.room.on("self", () => told.push(one.room.self.access));
    one.link.hold("up");
    const call = one.room.mutate.addUp({ id: "sum", by: 5 });
    expect(one.room.state.shapes.get("sum")?.x).toBe(6);
    await until(() => one.link.hellos.length === 2);
    await until(() => one.room.self.access === "read");
    expect(told).toEqual(["write", "read"]);
    one.link.release("up");
    expect(await outcomeOf(call)).toBe("forbidden");
    expect(one.room.state.shapes.get("sum")?.x).toBe(1);
    expect([one.room.status, one.room.pending]).toEqual(["online", 0]);
  });
});
