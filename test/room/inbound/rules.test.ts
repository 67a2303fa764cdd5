import { describe, expect, it } from "vitest";
import { idOf } from "../../support/clients/named-client.ts";
import {
  newPrivateRoom,
  newSmallRoom,
  newTestRoom,
  patch,
  put,
  remove,
} from "../../support/rooms/test-rooms.ts";

const edit = put("shapes", "s", { x: 1, y: 1 });

describe("a mutator", () => {
  it("that only the server has is run there", async () => {
    const room = newTestRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    await alice.commit(["roll", {}]);
    await bob.until(({ events }) => events.length === 1);
    expect(bob.copy.get("shapes", "dice")).toEqual({ x: 4, y: 4 });
    expect(bob.copy.events).toEqual([[null, "rolled", { dice: 4 }]]);
  });

  it("broadcasts only once its commit is on disk, in the same frame", async () => {
    const room = newSmallRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    await room.sql(
      "CREATE TRIGGER full BEFORE INSERT ON deltaroom_journal BEGIN SELECT RAISE(FAIL, 'disk full'); END",
    );
    alice.push(["celebrate", { text: "hooray" }]);
    expect(await alice.next("error")).toMatchObject({ code: "internal", clientReqId: 1 });
    await room.sql("DROP TRIGGER full");
    expect(await bob.quiet()).toEqual([]);
    alice.pushAt(1, ["celebrate", { text: "hooray" }]);
    const { delta, events } = await bob.next("update");
    expect(delta?.changes).toEqual({ notes: [["put", "party", { text: "hooray" }]] });
    expect(events).toEqual([[null, "wave", { text: "hooray" }]]);
    alice.pushAt(1, ["celebrate", { text: "hooray" }]);
    await alice.quiet();
    expect(await bob.quiet()).toEqual([]);
  });

  it("that throws is told to its caller without a word of the error, and has changed nothing", async () => {
    const room = newSmallRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    const refusals = await alice.commit(edit, ["stumble", {}], edit);
    expect(refusals).toEqual([1, { code: "internal", message: "the room could not run this call" }, 2]);
    expect(alice.heard).not.toContain("secret detail");
    await bob.until(({ rev }) => rev === 2);
    expect((await room.json()).collections).toEqual({ shapes: { s: { x: 1, y: 1 } } });
    await room.evict();
    expect(await bob.commit(edit)).toEqual([3]);
  });

  it.each([
    ["that the room does not know", ["nothing", {}], "invalid"],
    ["called like a member of every object", ["constructor", {}], "invalid"],
    ["whose payload does not fit", ["addTask", { id: 5 }], "invalid"],
    ["on a record that is not there", ["claim", { id: "t" }], "not-found"],
    ["that writes a record which does not fit", put("shapes", "s", { x: "far" }), "invalid"],
    ["that writes what is not direct", put("tasks", "t", { title: "t", assignee: null }), "forbidden"],
    ["that writes to no collection", put("planets", "earth", {}), "invalid"],
    ["that patches a record that is not there", patch("shapes", "gone", { x: 1 }), "not-found"],
    ["that names a record as none may be", put("shapes", "", { x: 1, y: 1 }), "invalid"],
    ["that is no set of changes", ["transact", { shapes: [["explode", "s"]] }], "invalid"],
  ] as const)("%s is rejected, consumes its id, and is no revision", async (_, call, code) => {
    const room = newSmallRoom();
    const alice = await room.join();
    expect(await alice.commit(call, edit)).toMatchObject([{ code }, 1]);
    expect(await room.rows()).toMatchObject([{ flushSeq: 1, to: 1 }]);
  });

  it("knows who calls: a person, or the client itself", async () => {
    const room = newPrivateRoom();
    const alice = await room.join({ token: "user:alice" });
    await alice.commit(["addTask", { id: "t", title: "T" }], ["claim", { id: "t" }]);
    expect(alice.copy.get("tasks", "t")).toEqual({ title: "T", assignee: "alice" });
    const open = newTestRoom();
    const bob = await open.join();
    await bob.commit(["addTask", { id: "t", title: "T" }], ["claim", { id: "t" }]);
    expect(bob.copy.get("tasks", "t")).toEqual({ title: "T", assignee: bob.clientId });
  });
});

describe.each([
  ["", async () => {}],
  [", after an eviction", async (room: ReturnType<typeof newSmallRoom>) => await room.evict()],
  [
    ", after a checkpoint and an eviction",
    async (room: ReturnType<typeof newSmallRoom>) => {
      const other = await room.join();
      for (let x = 0; x < 10; x++) await other.commit(put("shapes", "other", { x, y: 0 }));
      await room.evict();
    },
  ],
])("changedByOthers%s", (_, interlude) => {
  it("tells a change by somebody else since the caller's revision, and the caller's own from it", async () => {
    const room = newSmallRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    const claim = (baseRev: number) => ["claim", { id: "t" }, baseRev] as const;
    await alice.commit(["addTask", { id: "t", title: "T" }]); // rev 1
    await interlude(room);
    expect(await bob.commit(claim(0))).toMatchObject([{ code: "conflict" }]);
    expect(await alice.commit(claim(0))).toEqual([expect.any(Number)]); // her own change
    await interlude(room);
    expect(await bob.commit(claim(1))).toMatchObject([{ code: "conflict" }]);
    await bob.until(({ rev }) => rev >= alice.copy.rev);
    expect(await bob.commit(claim(bob.copy.rev))).toEqual([expect.any(Number)]);
    await interlude(room);
    expect(await alice.commit(claim(1))).toMatchObject([{ code: "conflict" }]);
    // A revision that the room has not reached yet is no way around it.
    expect(await bob.commit(claim(999_999))).toEqual([expect.any(Number)]);
  });
});

describe("who may do what", () => {
  it("a reader is told everything and changes nothing", async () => {
    const room = newPrivateRoom();
    const writer = await room.join({ token: "user:alice" });
    const reader = await room.join({ token: "reader:bob" });
    expect(reader.copy.welcome).toMatchObject({ access: "read", user: { id: "bob" } });
    await writer.commit(edit);
    await reader.until(({ rev }) => rev === 1);
    expect(await reader.commit(edit, ["addTask", { id: "t", title: "" }])).toMatchObject([
      { code: "forbidden" },
      { code: "forbidden" },
    ]);
    await room.evict();
    expect(await reader.commit(edit)).toMatchObject([{ code: "forbidden" }]);
    expect((await room.json()).rev).toBe(1);
  });

  it("authorize sees what a call would do, refuses it in three ways, and lets nothing of it happen", async () => {
    const room = newPrivateRoom();
    const [alice, bob] = [await room.join({ token: "user:alice" }), await room.join({ token: "user:bob" })];
    const writes = (id: string) => put("shapes", id, { x: 1, y: 1 });
    expect(await bob.commit(writes("alices"))).toMatchObject([{ code: "forbidden" }]);
    expect(await alice.commit(writes("alices"))).toEqual([1]);
    expect(await bob.commit(remove("shapes", "alices"))).toMatchObject([{ code: "forbidden" }]);
    const frozen = { code: "frozen", message: "this was frozen", data: { since: "yesterday" } };
    expect(await bob.commit(writes("frozen"))).toEqual([frozen]);
    expect(await bob.commit(writes("riddle"))).toMatchObject([{ code: "internal" }]);
    expect((await room.json()).collections).toEqual({ shapes: { alices: { x: 1, y: 1 } } });
  });
});

describe("the object's own methods", () => {
  it("transact commits any collection as one operation, and answers once it is on disk", async () => {
    const room = newTestRoom();
    const alice = await room.join();
    const { rev } = await room.inside((self, { storage }) => {
      const committed = self.transact((tx) => {
        tx.tasks.put("t", { title: "from the room", assignee: null });
        tx.shapes.put("s", { x: 1, y: 2 });
      });
      expect(storage.sql.exec('SELECT "to" FROM deltaroom_journal').toArray()).toEqual([{ to: 1 }]);
      return committed;
    });
    expect(rev).toBe(1);
    await alice.until((copy) => copy.rev === 1);
    expect(alice.copy.get("tasks", "t")).toEqual({ title: "from the room", assignee: null });
  });

  it("transact throws what its function throws, and then nothing has happened", async () => {
    const room = newTestRoom();
    await room.inside((self) => {
      const attempt = () =>
        self.transact((tx) => {
          tx.shapes.put("s", { x: 1, y: 2 });
          throw new Error("on second thought");
        });
      expect(attempt).toThrow("on second thought");
      expect(() => self.transact((tx) => tx.shapes.patch("none", { x: 1 }))).toThrow(
        "there is no shapes record none",
      );
    });
    expect(await room.json()).toMatchObject({ rev: 0, collections: {} });
  });

  it("transact throws when storage fails, and nothing of it has happened", async () => {
    const room = newTestRoom();
    const alice = await room.join();
    await alice.commit(edit);
    await room.inside((self, { storage }) => {
      storage.sql.exec(
        "CREATE TRIGGER full BEFORE INSERT ON deltaroom_journal BEGIN SELECT RAISE(FAIL, 'disk full'); END",
      );
      expect(() => self.transact((tx) => tx.shapes.delete("s"))).toThrow("storage failed");
      expect(self.state.shapes.has("s")).toBe(true);
      storage.sql.exec("DROP TRIGGER full");
    });
    expect(await alice.commit(edit)).toEqual([2]);
    expect(alice.copy.get("shapes", "s")).toBeDefined();
  });

  it("state is what is on disk, also through a reader that was kept", async () => {
    const room = newTestRoom();
    await room.inside((self) => {
      const { shapes, notes } = self.state;
      self.transact((tx) => tx.shapes.put("b", { x: 1, y: 2 }));
      expect(shapes.values()).toEqual([{ x: 1, y: 2 }]);
      self.transact((tx) => tx.shapes.put("a", { x: 3, y: 4 }));
      expect(shapes.ids()).toEqual(["a", "b"]);
      expect(shapes.values()).toEqual([
        { x: 3, y: 4 },
        { x: 1, y: 2 },
      ]);
      expect(shapes.entries().map(([id]) => id)).toEqual(["a", "b"]);
      expect([shapes.size, notes.size, shapes.get("a")?.x]).toEqual([2, 0, 3]);
    });
  });

  it("broadcast reaches everybody, and throws for what does not fit", async () => {
    const room = newTestRoom();
    const [alice, bob] = [await room.join(), await room.join()];
    await room.inside((self) => {
      self.broadcast("wave", { text: "hello all" });
      expect(() => self.broadcast("wave", { text: 1 } as never)).toThrow("does not fit its schema");
    });
    for (const member of [alice, bob]) {
      await member.until(({ events }) => events.length === 1);
      expect(member.copy.events).toEqual([[null, "wave", { text: "hello all" }]]);
    }
  });
});

describe("hooks", () => {
  it("are told who comes and goes, once a client and not once a socket, and of no one again after hibernation", async () => {
    const room = newTestRoom();
    const alice = await room.join({ name: "actor-alice" });
    const again = await room.join({ secret: alice.secret });
    await alice.closed();
    expect(await room.inside(({ heard }) => heard)).toEqual([`join ${idOf("actor-alice")}`]);
    await room.evict();
    again.cut();
    await room.join({ name: "actor-bobby" });
    expect(await room.inside(({ heard }) => heard)).toEqual([
      `leave ${idOf("actor-alice")}`,
      `join ${idOf("actor-bobby")}`,
    ]);
  });

  it("are told of each operation after its row is written, in order, and may commit themselves", async () => {
    const room = newTestRoom();
    const alice = await room.join({ name: "actor-alice" });
    alice.push(edit, ["refuse", { text: "" }], ["celebrate", { text: "hi" }], edit);
    await alice.until(({ rev }) => rev === 4);
    expect(alice.copy.get("notes", "thanks")).toEqual({ text: `to ${idOf("actor-alice")}` });
    expect(await room.inside(({ heard }) => heard)).toEqual([
      `join ${idOf("actor-alice")}`,
      `commit 1 transact by ${idOf("actor-alice")}`,
      `commit 2 celebrate by ${idOf("actor-alice")}`,
      `commit 3 transact by ${idOf("actor-alice")}`,
      "commit 4 transact by room",
    ]);
    expect((await room.rows()).map(({ from, to }) => [from, to])).toEqual([
      [0, 3],
      [3, 4],
    ]);
  });

  it("may speak to whoever has just come, and break nothing when they throw", async () => {
    const room = newTestRoom();
    const greeted = await room.join({ name: "greeted-alice" });
    await greeted.until(({ events }) => events.length === 1);
    expect(greeted.copy.events).toEqual([[null, "wave", { text: `welcome ${greeted.clientId}` }]]);
    const unwanted = await room.join({ name: "unwanted-bob" });
    expect(await unwanted.commit(edit)).toEqual([1]);
  });
});
