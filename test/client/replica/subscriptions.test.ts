import { describe, expect, test, vi } from "vitest";
import { newTestRoom } from "../../support/rooms/test-rooms.ts";
import { enter, hushed, until } from "../../support/clients/joined-client.ts";
import { joined, turn } from "../../support/rooms/scripted-room.ts";

const shapes = { s1: { x: 1, y: 1 }, s2: { x: 2, y: 2 } };

describe("subscribe", () => {
  test("tells of a selection that has changed, with the one before, and not at once", async () => {
    const { room, socket } = await joined({ records: { shapes } });
    const told: unknown[] = [];
    room.subscribe(
      (s) => s.shapes.get("s1")?.x,
      (...args) => told.push(args),
    );
    expect(told).toEqual([]);
    room.transact((tx) => tx.shapes.patch("s1", { x: 5 }));
    room.transact((tx) => tx.shapes.patch("s1", { y: 5 })); // not what was selected
    socket.delta(0, { shapes: [["patch", "s2", { x: 7 }]] });
    expect(told).toEqual([[5, 1]]);
  });

  test("takes arrays and objects for the same when their members are", async () => {
    const { room, socket } = await joined({ records: { shapes } });
    const told: unknown[] = [];
    room.subscribe(
      (s) => s.shapes.values().map(({ y }) => y),
      (ys) => told.push(ys),
    );
    room.subscribe(
      (s) => ({ count: s.shapes.size, first: s.shapes.get("s1") }),
      (now) => told.push(now),
    );
    socket.delta(0, { shapes: [["patch", "s2", { x: 7 }]] });
    expect(told).toEqual([]);
    socket.delta(1, { shapes: [["patch", "s2", { y: 7 }]] });
    expect(told).toEqual([[1, 7]]);
    socket.delta(2, { shapes: [["delete", "s2"]] });
    expect(told.slice(1)).toEqual([[1], { count: 1, first: { x: 1, y: 1 } }]);
  });

  test("runs a selector again only when something that it read has changed", async () => {
    const records = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`s${n}`, { x: n, y: 0 }]));
    const { room, socket } = await joined({ records: { shapes: records } });
    let runs = 0;
    const told: unknown[] = [];
    for (const id of Object.keys(records)) {
      const selector = (s: typeof room.state) => {
        runs += 1;
        return s.shapes.get(id)?.x;
      };
      room.subscribe(selector, (x) => told.push([id, x]));
    }
    expect(runs).toBe(1_000);
    socket.delta(0, { shapes: [["patch", "s500", { x: -1 }]] });
    expect([runs, told]).toEqual([1_001, [["s500", -1]]]);
    room.transact((tx) => tx.shapes.patch("s7", { x: -2 }));
    expect([runs, told.at(-1)]).toEqual([1_002, ["s7", -2]]);
    await turn();
    socket.delta(1, { shapes: [["patch", "s7", { x: -2 }]] }, { lastCallId: 1, outcomes: [[1, 2]] });
    socket.delta(2, { counters: [["put", "c1", { value: 1 }]] });
    expect(runs).toBe(1_002);
  });

  test("runs a selector that reads a list in order when the order changes, and hands out the same array until then", async () => {
    const cards = {
      c1: { title: "", place: "a2" },
      c2: { title: "", place: "a1" },
      c3: { title: "", place: "a0" },
    };
    const { room, socket } = await joined({ records: { cards } });
    const told: (readonly string[])[] = [];
    let runs = 0;
    room.subscribe(
      (s) => {
        runs += 1;
        return s.cards.ids("place");
      },
      (ids) => told.push(ids),
    );
    const before = room.state.cards.ids("place");
    expect(before).toEqual(["c3", "c2", "c1"]);
    socket.delta(0, { cards: [["patch", "c2", { title: "new" }]] });
    socket.delta(1, { shapes: [["put", "s1", { x: 1, y: 1 }]] });
    expect([runs, room.state.cards.ids("place")]).toEqual([1, before]);
    expect(room.state.cards.ids("place")).toBe(before);
    expect(room.state.cards.values("place")).toBe(room.state.cards.values("place"));
    socket.delta(2, { cards: [["patch", "c1", { place: "Zz" }]] });
    room.transact((tx) => tx.cards.patch("c2", { place: "a4" }));
    room.transact((tx) => tx.cards.delete("c3"));
    socket.delta(3, { cards: [["put", "c4", { title: "", place: "a4" }]] });
    expect(told).toEqual([
      ["c1", "c3", "c2"],
      ["c1", "c2"],
      ["c1", "c2", "c4"],
    ]);
    expect(runs).toBe(5);
    expect(before).toEqual(["c3", "c2", "c1"]);
    expect(room.state.cards.entries("place").map(([id, { place }]) => id + place)).toEqual([
      "c1Zz",
      "c2a4",
      "c4a4",
    ]);
  });

  test.each([
    ["one record", (s: any) => s.shapes.get("s1")?.x, { change: 1, other: 0, insert: 0 }],
    ["whether there is one", (s: any) => s.shapes.has("s9"), { change: 0, other: 0, insert: 1 }],
    ["the ids", (s: any) => s.shapes.ids().join(), { change: 0, other: 0, insert: 1 }],
    ["the size", (s: any) => s.shapes.size, { change: 0, other: 0, insert: 1 }],
    ["the values", (s: any) => s.shapes.values().length, { change: 1, other: 1, insert: 1 }],
    ["the entries", (s: any) => s.shapes.entries().length, { change: 1, other: 1, insert: 1 }],
    ["nothing", () => 1, { change: 0, other: 0, insert: 0 }],
  ])("runs a selector that reads %s as often as that changes", async (_, select, expected) => {
    const { room, socket } = await joined({ records: { shapes } });
    const selector = vi.fn<(s: unknown) => unknown>(select);
    room.subscribe(selector, () => {});
    const runsOf = (change: () => void) => {
      selector.mockClear();
      change();
      return selector.mock.calls.length;
    };
    expect({
      change: runsOf(() => socket.delta(0, { shapes: [["patch", "s1", { y: 9 }]] })),
      other: runsOf(() => socket.delta(1, { shapes: [["patch", "s2", { y: 9 }]] })),
      insert: runsOf(() => socket.delta(2, { shapes: [["put", "s9", { x: 9, y: 9 }]] })),
    }).toEqual(expected);
  });

  test("follows a selector to what it reads next", async () => {
    const { room, socket } = await joined({ records: { shapes, papers: { p1: { text: "s1" } } } });
    const told: unknown[] = [];
    room.subscribe(
      (s) => s.shapes.get(s.papers.get("p1")?.text ?? "")?.x,
      (x) => told.push(x),
    );
    socket.delta(0, { papers: [["patch", "p1", { text: "s2" }]] });
    socket.delta(1, { shapes: [["patch", "s1", { x: 100 }]] });
    socket.delta(2, { shapes: [["patch", "s2", { x: 200 }]] });
    expect(told).toEqual([2, 200]);
  });

  test("ends with its unsubscribe, also when a listener calls it", async () => {
    const { room } = await joined({ records: { shapes } });
    const told: string[] = [];
    const ends: (() => void)[] = [];
    for (const name of ["a", "b", "c"]) {
      const listener = () => {
        told.push(name);
        for (const end of ends) end(); // its own, and those that have not been told yet
      };
      ends.push(room.subscribe((s) => s.shapes.get("s1")?.x, listener));
    }
    room.transact((tx) => tx.shapes.patch("s1", { x: 5 }));
    room.transact((tx) => tx.shapes.patch("s1", { x: 6 }));
    expect(told).toEqual(["a"]);
  });

  test("tells the others when a listener or a selector throws", async () => {
    const printed = hushed("error");
    const { room, socket } = await joined({ records: { shapes } });
    const told: unknown[] = [];
    const mistake = new Error("the app's own");
    const thrower = () => {
      throw mistake;
    };
    room.subscribe((s) => s.shapes.get("s1")?.x, thrower);
    room.subscribe(
      (s) => (s.shapes.get("s1")?.x === 1 ? 0 : thrower()),
      () => {},
    );
    room.subscribe(
      (s) => s.shapes.get("s1")?.x,
      (x) => told.push(x),
    );
    room.observe("shapes", thrower);
    room.observe("shapes", () => told.push("observed"));
    room.transact((tx) => tx.shapes.patch("s1", { x: 5 }));
    socket.delta(0, { shapes: [["patch", "s1", { x: 6 }]] });
    expect(told).toEqual(["observed", 5]); // the pending edit is newer than what the room said
    expect(printed.mock.calls.map(([, error]) => error)).toEqual([mistake, mistake, mistake]);
  });

  test("comes to nothing when the selector throws at the start", async () => {
    const { room } = await joined({ records: { shapes } });
    const told = vi.fn<() => void>();
    let fails = true;
    const selector = (s: typeof room.state) => {
      const x = s.shapes.get("s1")?.x;
      if (fails) throw new Error("not yet");
      return x;
    };
    expect(() => room.subscribe(selector, told)).toThrow("not yet");
    fails = false;
    room.transact((tx) => tx.shapes.patch("s1", { x: 5 }));
    expect(told).not.toHaveBeenCalled();
  });

  test("lets a listener make calls of its own", async () => {
    const { room, socket } = await joined({ records: { shapes } });
    const told: unknown[] = [];
    room.subscribe(
      (s) => s.shapes.get("s1")?.x,
      (x) => {
        told.push(x);
        if (x !== undefined && x < 4) room.transact((tx) => tx.shapes.patch("s1", { x: x + 1 }));
      },
    );
    socket.delta(0, { shapes: [["patch", "s1", { x: 2 }]] });
    expect(told).toEqual([2, 3, 4]);
    expect(room.state.shapes.get("s1")?.x).toBe(4);
  });
});

describe("observe", () => {
  test("tells of each record that has changed, before and after, be it one's own doing or not", async () => {
    const { room, socket } = await joined({ records: { shapes } });
    const told: unknown[] = [];
    room.observe("shapes", (changes) => told.push(...changes));
    room.transact((tx) => {
      tx.shapes.put("s3", { x: 3, y: 3 });
      tx.shapes.patch("s1", { x: 5 });
      tx.shapes.delete("s2");
    });
    expect(told.splice(0)).toEqual([
      { id: "s3", before: undefined, after: { x: 3, y: 3 } },
      { id: "s1", before: { x: 1, y: 1 }, after: { x: 5, y: 1 } },
      { id: "s2", before: { x: 2, y: 2 }, after: undefined },
    ]);
    socket.delta(0, {
      shapes: [
        ["patch", "s1", { y: 7 }],
        ["delete", "s3"],
        ["put", "s4", { x: 4, y: 4 }],
      ],
    });
    expect(told).toEqual([
      { id: "s1", before: { x: 5, y: 1 }, after: { x: 5, y: 7 } },
      { id: "s4", before: undefined, after: { x: 4, y: 4 } },
    ]); // s3 is put again by the call that waits
  });

  test("tells of a rejection as of any other change", async () => {
    const { room } = await enter(newTestRoom());
    const told: unknown[] = [];
    room.observe("shapes", (changes) => told.push(...changes));
    room.mutate.addUp({ id: "frozen", by: 1 });
    await until(() => room.pending === 0);
    const frozen = { x: 1, y: 0 };
    expect(told).toEqual([
      { id: "frozen", before: undefined, after: frozen },
      { id: "frozen", before: frozen, after: undefined },
    ]);
  });

  test("tells nothing of what came out the same, and nothing of other collections", async () => {
    const { room, socket } = await joined({ records: { shapes, papers: { p1: { text: "x" } } } });
    const told = vi.fn<() => void>();
    room.observe("shapes", told);
    room.transact((tx) => tx.papers.patch("p1", { text: "y" }));
    room.transact((tx) => tx.shapes.patch("s1", { x: 1 }));
    room.transact((tx) => {
      tx.shapes.put("s9", { x: 9, y: 9 });
      tx.shapes.delete("s9");
    });
    room.transact((tx) => {
      tx.shapes.patch("s1", { x: 7 });
      tx.shapes.patch("s1", { x: 1 });
    });
    socket.delta(0, { shapes: [["patch", "s1", { x: 1 }]], counters: [["put", "c1", { value: 1 }]] });
    expect(told).not.toHaveBeenCalled();
  });

  test("tells everybody of all changes in the order in which they happened, also when a listener makes one", async () => {
    const { room, socket } = await joined({ records: { shapes } });
    const seen: unknown[] = [];
    room.observe("shapes", ([change]) => {
      if (change?.after?.x === 2) room.transact((tx) => tx.shapes.patch("s1", { x: 3 }));
    });
    room.observe("shapes", (changes) =>
      seen.push(...changes.map(({ before, after }) => [before?.x, after?.x])),
    );
    socket.delta(0, { shapes: [["patch", "s1", { x: 2 }]] });
    expect(seen).toEqual([
      [1, 2],
      [2, 3],
    ]);
  });

  test("ends with its unsubscribe, also when a listener before it calls that", async () => {
    const { room } = await joined({ records: { shapes } });
    const told: string[] = [];
    room.observe("shapes", () => {
      told.push("first");
      end();
    });
    const end = room.observe("shapes", () => told.push("second"));
    room.transact((tx) => tx.shapes.patch("s1", { x: 5 }));
    expect(told).toEqual(["first"]);
  });
});

test("a function given twice is told twice, and each of them ends by itself", async () => {
  const { room } = await joined({ records: { shapes } });
  const told = vi.fn<() => void>();
  const end = room.observe("shapes", told);
  room.observe("shapes", told);
  room.transact((tx) => tx.shapes.patch("s1", { x: 5 }));
  expect(told).toHaveBeenCalledTimes(2);
  end();
  end();
  room.transact((tx) => tx.shapes.patch("s1", { x: 6 }));
  expect(told).toHaveBeenCalledTimes(3);
});
