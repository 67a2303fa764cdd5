import { describe, expect, test } from "vitest";
import { newSmallRoom, newTestRoom } from "../../support/rooms/test-rooms.ts";
import { enter, expectAgreement, until, type Entered } from "../../support/clients/joined-client.ts";
import { joined, turn } from "../../support/rooms/scripted-room.ts";

const shapes = { s1: { x: 1, y: 1 }, s2: { x: 2, y: 2, path: [1, 2] }, s3: { x: 3, y: 3 } };

describe("a record that nothing has touched is the same object as before", () => {
  test("after a change of somebody else", async () => {
    const { room, socket } = await joined({ records: { shapes } });
    const [s1, s2] = [room.state.shapes.get("s1"), room.state.shapes.get("s2")];
    socket.delta(0, { shapes: [["patch", "s1", { x: 9 }]] });
    expect(room.state.shapes.get("s1")).not.toBe(s1);
    expect(room.state.shapes.get("s2")).toBe(s2);
  });

  test("after a change of somebody else that says what was there already", async () => {
    const { room, socket } = await joined({ records: { shapes } });
    const [s1, s2] = [room.state.shapes.get("s1"), room.state.shapes.get("s2")];
    socket.delta(0, {
      shapes: [
        ["patch", "s1", { x: 1 }],
        ["put", "s2", { path: [1, 2], y: 2, x: 2 }],
      ],
    });
    expect(room.state.shapes.get("s1")).toBe(s1);
    expect(room.state.shapes.get("s2")).toBe(s2);
  });

  test("after an edit of one's own", async () => {
    const { room } = await joined({ records: { shapes } });
    const s2 = room.state.shapes.get("s2");
    room.transact((tx) => tx.shapes.patch("s1", { x: 9 }));
    expect(room.state.shapes.get("s2")).toBe(s2);
  });

  test("when the calls that have changed it run again", async () => {
    const { room, socket } = await joined({ records: { shapes } });
    room.mutate.paint({ id: "s1", color: "red" });
    room.transact((tx) => tx.shapes.put("s4", { x: 4, y: 4, path: [1] }));
    const [s1, s4] = [room.state.shapes.get("s1"), room.state.shapes.get("s4")];
    socket.delta(0, { shapes: [["patch", "s2", { x: 9 }]] });
    expect(room.state.shapes.get("s1")).toBe(s1);
    expect(room.state.shapes.get("s4")).toBe(s4);
  });

  test("when one's own call is answered, and ever after", async () => {
    const { room, socket } = await joined({ records: { shapes } });
    room.mutate.paint({ id: "s1", color: "red" });
    room.transact((tx) => tx.shapes.patch("s2", { path: [3] }));
    const [s1, s2] = [room.state.shapes.get("s1"), room.state.shapes.get("s2")];
    await turn();
    const changes = {
      shapes: [
        ["patch", "s1", { color: "red" }],
        ["patch", "s2", { path: [3] }],
      ],
    } as const;
    socket.delta(
      0,
      changes,
      {
        lastCallId: 2,
        outcomes: [
          [1, 1],
          [2, 2],
        ],
      },
      2,
    );
    expect(room.pending).toBe(0);
    expect(room.state.shapes.get("s1")).toBe(s1);
    expect(room.state.shapes.get("s2")).toBe(s2);
    socket.delta(2, { shapes: [["patch", "s3", { x: 9 }]] });
    expect(room.state.shapes.get("s2")).toBe(s2);
  });

  test("over a snapshot", async () => {
    const at = newSmallRoom();
    const one = await enter(at);
    const other = await enter(at);
    await one.room.transact((tx) => {
      for (let n = 0; n < 40; n++) tx.notes.put(`n${n}`, { text: "x".repeat(60), tags: [`${n}`] });
    }).committed;
    await until(() => other.room.rev === 1);
    const before = other.room.state.notes.entries();
    other.room.disconnect();
    // So much has come and gone that history no longer holds all of it.
    for (let n = 0; n < 40; n++)
      await one.room.transact((tx) => tx.shapes.put(`s${n}`, { x: n, y: 0, color: "x".repeat(200) }))
        .committed;
    await one.room.transact((tx) => {
      for (const id of tx.shapes.ids()) tx.shapes.delete(id);
    }).committed;
    await one.room.transact((tx) => tx.notes.patch("n7", { text: "changed" })).committed;
    for (let n = 0; n < 8; n++)
      await one.room.transact((tx) => tx.shapes.put("s1", { x: n, y: 0 })).committed;
    const seen: string[] = [];
    other.room.observe("notes", (changes) => seen.push(...changes.map(({ id }) => id)));
    other.link.down.length = 0;
    await reconnected(other);
    await expectAgreement(at, one, other);
    expect(other.link.down.map(({ kind }) => kind)).toContain("snapshot");
    expect(seen).toEqual(["n7"]);
    const another = before.filter(([id, record]) => other.room.state.notes.get(id) !== record);
    expect(another.map(([id]) => id)).toEqual(["n7"]);
  });

  test("over a reconnect that brings nothing", async () => {
    const entered = await enter(newTestRoom());
    await entered.room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 1 })).committed;
    const s1 = entered.room.state.shapes.get("s1");
    entered.room.disconnect();
    await reconnected(entered);
    expect(entered.room.state.shapes.get("s1")).toBe(s1);
  });
});

describe("arrays of a collection", () => {
  test("are the same until something in it changes", async () => {
    const { room, socket } = await joined({ records: { shapes, counters: { c1: { value: 1 } } } });
    const { shapes: reader } = room.state;
    const before = [reader.ids(), reader.values(), reader.entries()];
    expect([reader.ids(), reader.values(), reader.entries()].map((array, i) => array === before[i])).toEqual([
      true,
      true,
      true,
    ]);
    socket.delta(0, { counters: [["patch", "c1", { value: 2 }]] });
    expect(reader.values()).toBe(before[1]);
    room.transact((tx) => tx.shapes.patch("s1", { x: 9 }));
    expect(reader.ids()).toBe(before[0]); // the same ids as before
    expect(reader.values()).not.toBe(before[1]);
    expect(reader.values()[0]).toEqual({ x: 9, y: 1 });
    expect(before[1]?.[0]).toEqual({ x: 1, y: 1 }); // what was handed out stands
    expect(reader.entries()[0]).toEqual(["s1", { x: 9, y: 1 }]);
  });

  test("are in order of id, whoever made the records and when", async () => {
    const { room, socket } = await joined({ records: { shapes: { b: { x: 1, y: 1 }, d: { x: 1, y: 1 } } } });
    room.transact((tx) => {
      tx.shapes.put("c", { x: 1, y: 1 });
      tx.shapes.put("a", { x: 1, y: 1 });
      tx.shapes.delete("d");
    });
    expect(room.state.shapes.ids()).toEqual(["a", "b", "c"]);
    socket.delta(0, { shapes: [["put", "bb", { x: 1, y: 1 }]] });
    expect(room.state.shapes.ids()).toEqual(["a", "b", "bb", "c"]);
    expect(room.state.shapes.size).toBe(4);
    expect(room.state.shapes.has("d")).toBe(false);
  });
});

describe("what the app is handed", () => {
  test("is frozen all the way down, wherever it came from", async () => {
    const { room, socket } = await joined({ records: { shapes } });
    room.transact((tx) => {
      tx.shapes.put("s4", { x: 4, y: 4, path: [1] });
      tx.shapes.patch("s3", { path: [1] });
    });
    socket.delta(0, {
      shapes: [
        ["put", "s5", { x: 5, y: 5, path: [1] }],
        ["patch", "s1", { path: [1] }],
      ],
    });
    const { shapes: reader } = room.state;
    for (const id of ["s1", "s2", "s3", "s4", "s5"]) {
      const record = reader.get(id) as unknown as { x: number; path: number[] };
      expect(() => (record.x = 7)).toThrow(TypeError);
      expect(() => record.path.push(7)).toThrow(TypeError);
    }
    for (const array of [reader.ids(), reader.values(), reader.entries(), reader.entries()[0], room.others]) {
      expect(Object.isFrozen(array)).toBe(true);
    }
    expect(Object.isFrozen(room.state)).toBe(true);
    expect(Object.isFrozen(room.mutate)).toBe(true);
    expect(Object.isFrozen(room.self)).toBe(true);
  });
});

async function reconnected({ room }: Entered): Promise<void> {
  room.reconnect();
  await until(() => room.status === "online");
}
