import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { remote } from "../../src/server.ts";
import { newTestRoom } from "../support/rooms/test-rooms.ts";
import { testBoard } from "../support/boards/test-board.ts";

describe("a backend", () => {
  it("calls a mutator once by its key, awake or not, and is answered the same every time", async () => {
    const room = newTestRoom();
    const alice = await room.join();
    const { mutate } = remote(room.stub, testBoard);
    const add = async () => await mutate.addUp({ id: "sum", by: 5 }, { idempotencyKey: "key-1" });
    expect(await add()).toEqual({ rev: 1 });
    expect(await add()).toEqual({ rev: 1 });
    await alice.until(({ rev }) => rev === 1);
    await room.evict();
    expect(await add()).toEqual({ rev: 1 });
    expect((await room.json()).collections).toEqual({ shapes: { sum: { x: 5, y: 0 } } });
  });

  it("that uses a key again for another call, or for another user, is told so, and nothing runs", async () => {
    const room = newTestRoom();
    const { mutate } = remote(room.stub, testBoard);
    const idempotencyKey = "key-1";
    const user = { id: "alice", name: "Alice" };
    await mutate.addUp({ id: "sum", by: 5 }, { idempotencyKey, user });
    const conflict = { name: "RejectedError", code: "id-conflict" };
    await expect(mutate.addUp({ id: "sum", by: 6 }, { idempotencyKey, user })).rejects.toMatchObject(
      conflict,
    );
    await room.evict();
    await expect(mutate.roll({}, { idempotencyKey, user })).rejects.toMatchObject(conflict);
    await expect(
      mutate.addUp({ id: "sum", by: 5 }, { idempotencyKey, user: { id: "bob", name: "Bob" } }),
    ).rejects.toMatchObject(conflict);
    expect(await mutate.addUp({ id: "sum", by: 5 }, { idempotencyKey, user })).toEqual({ rev: 1 });
    expect((await room.json()).collections).toEqual({ shapes: { sum: { x: 5, y: 0 } } });
  });

  it.each(["a/b", "", ".", "..", "C#", "a b", "é", "x".repeat(129)])(
    "that names the room %j, which no URL can name, is refused",
    (name) => {
      const stub = env.TEST_ROOMS.getByName(name);
      expect(() => remote(stub, testBoard)).toThrow(`${JSON.stringify(name)} is no room id`);
      expect(() => remote(stub, testBoard)).toThrow(TypeError);
    },
  );

  it("that names a user with half a character is refused, since another user would be taken for that one", async () => {
    const room = newTestRoom();
    const { mutate } = remote(room.stub, testBoard);
    const named = async (id: string, name: string) =>
      await mutate.addUp({ id: "sum", by: 1 }, { user: { id, name } });
    for (const half of ["\ud83c", "\udf89"]) {
      await expect(named(`x${half}`, "x")).rejects.toMatchObject({ name: "RejectedError", code: "invalid" });
      await expect(named("x", `x${half}`)).rejects.toMatchObject({ name: "RejectedError", code: "invalid" });
    }
    expect(await named("x\ufffd", "🎉")).toEqual({ rev: 1 });
  });

  it("without a key makes another call each time", async () => {
    const room = newTestRoom();
    const { mutate } = remote(room.stub, testBoard);
    await mutate.addUp({ id: "sum", by: 5 });
    expect(await mutate.addUp({ id: "sum", by: 5 })).toEqual({ rev: 2 });
    expect((await room.json()).collections).toEqual({ shapes: { sum: { x: 10, y: 0 } } });
  });

  it("is told of a refusal with its code", async () => {
    const { mutate } = remote(newTestRoom().stub, testBoard);
    await expect(mutate.refuse({ text: "" })).rejects.toMatchObject({
      name: "RejectedError",
      code: "no-way",
    });
    await expect(mutate.addUp({ id: "sum", by: "much" } as never)).rejects.toMatchObject({ code: "invalid" });
  });

  it("cannot name a call by an empty or an endless key", async () => {
    const { mutate } = remote(newTestRoom().stub, testBoard);
    for (const idempotencyKey of ["", "k".repeat(129)]) {
      await expect(mutate.addUp({ id: "sum", by: 1 }, { idempotencyKey })).rejects.toThrow(
        "1 to 128 characters",
      );
    }
  });
});
