import { memo, Profiler, startTransition, useLayoutEffect, useState, type ReactNode } from "react";
import { describe, expect, test, vi } from "vitest";
import type { Room } from "../../client/index.ts";
import type { ClientRoom } from "../../client/client-room.ts";
import type { ClientBoard } from "../support/boards/client-board.ts";
import { after, board, Boundary, show } from "./page.tsx";

const { useRoom, useRoomState } = board;

const records = { shapes: { s1: { x: 1, y: 1 }, s2: { x: 2, y: 2 } }, papers: { p1: { text: "s1" } } };

/** Renders itself, and nothing below it by itself, when `render` is called. */
function stirred(children: () => ReactNode) {
  let stir = () => {};
  const Stirred = () => {
    const [, count] = useState(0);
    stir = () => count((n) => n + 1);
    return children();
  };
  return { element: <Stirred />, stir: () => after(() => stir()) };
}

describe("useRoomState", () => {
  test("renders again when what it selected has changed, and not when anything else has", async () => {
    const seen: unknown[] = [];
    const Shape = () => {
      seen.push(useRoomState((s) => s.shapes.get("s1")?.x));
      return null;
    };
    const { socket } = await show(<Shape />, { greeting: { records } });
    await after(() => socket.delta(0, { shapes: [["patch", "s2", { x: 7 }]] }));
    await after(() => socket.delta(1, { shapes: [["patch", "s1", { y: 7 }]] }));
    await after(() => socket.update({ presence: [["join", "ada", null, { x: 1, y: 1 }]] }));
    expect(seen).toEqual([1]);
    await after(() => socket.delta(2, { shapes: [["patch", "s1", { x: 7 }]] }));
    expect(seen).toEqual([1, 7]);
  });

  test("takes selections for the same when their members are, and answers the object that it had", async () => {
    const seen: { ids: unknown; first: unknown }[] = [];
    const Shapes = () => {
      const ids = useRoomState((s) => s.shapes.values().map(({ y }) => y));
      seen.push({ ids, first: useRoomState((s) => ({ first: s.shapes.get("s1"), size: s.shapes.size })) });
      return null;
    };
    const { element, stir } = stirred(() => <Shapes />);
    const { socket } = await show(element, { greeting: { records } });
    await after(() => socket.delta(0, { shapes: [["patch", "s2", { x: 7 }]] }));
    expect(seen.length).toBe(1);
    await stir();
    expect(seen.length).toBe(2);
    expect(seen[1]?.ids).toBe(seen[0]?.ids);
    expect(seen[1]?.first).toBe(seen[0]?.first);
    await after(() => socket.delta(1, { shapes: [["patch", "s2", { y: 7 }]] }));
    expect(seen[2]).toEqual({ ids: [1, 7], first: seen[0]?.first });
  });

  test("costs 5,000 components of a record each what the change of one costs", async () => {
    const ids = Array.from({ length: 5_000 }, (_, n) => `s${n}`);
    let runs = 0;
    const rendered: string[] = [];
    const Shape = memo(({ id }: { readonly id: string }) => {
      rendered.push(id);
      const shape = useRoomState((s) => {
        runs += 1;
        return s.shapes.get(id);
      });
      return <i>{shape?.x}</i>;
    });
    const shapes = Object.fromEntries(ids.map((id, x) => [id, { x, y: 0 }]));
    const { page, socket } = await show(
      ids.map((id) => <Shape key={id} id={id} />),
      { greeting: { records: { shapes } } },
    );
    expect([rendered.length, runs]).toEqual([5_000, 5_000]);
    const costOf = async (change: () => void) => {
      [rendered.length, runs] = [0, 0];
      await after(change);
      return { rendered: [...rendered], runs };
    };
    // Once to see that it has changed, and once by the selector of the render.
    expect(await costOf(() => socket.delta(0, { shapes: [["patch", "s500", { x: -1 }]] }))).toEqual({
      rendered: ["s500"],
      runs: 2,
    });
    expect(page.container.children[500]?.textContent).toBe("-1");
    expect(
      await costOf(() => {
        socket.delta(1, {
          shapes: [
            ["patch", "s7", { x: -2 }],
            ["delete", "s8"],
          ],
        });
      }),
    ).toEqual({ rendered: ["s7", "s8"], runs: 4 });
    expect(await costOf(() => socket.delta(2, { counters: [["put", "c1", { value: 1 }]] }))).toEqual({
      rendered: [],
      runs: 0,
    });
  });

  test("renders 5,000 components with their parent without one of them subscribing anew", async () => {
    const ids = Array.from({ length: 5_000 }, (_, n) => `s${n}`);
    let runs = 0;
    let room: Room<ClientBoard> | undefined;
    const Shape = ({ id }: { readonly id: string }) => {
      const x = useRoomState((s) => {
        runs += 1;
        return s.shapes.get(id)?.x;
      });
      return <i>{x}</i>;
    };
    const Keep = () => {
      room = useRoom();
      return null;
    };
    const { element, stir } = stirred(() => (
      <>
        <Keep />
        {ids.map((id) => (
          <Shape key={id} id={id} />
        ))}
      </>
    ));
    await show(element, { greeting: { records } });
    const { subscriptions } = room as unknown as ClientRoom;
    const watch = vi.spyOn(subscriptions, "watch");
    runs = 0;
    await stir();
    expect([runs, watch.mock.calls.length]).toEqual([5_000, 0]);
  });

  test("follows a selector to the record that its props name now", async () => {
    const seen: unknown[] = [];
    const Shape = ({ id }: { readonly id: string }) => {
      seen.push(useRoomState((s) => s.shapes.get(id)?.x));
      return null;
    };
    const { socket, rerender } = await show(<Shape id="s1" />, { greeting: { records } });
    rerender(<Shape id="s2" />);
    expect(seen).toEqual([1, 2]);
    await after(() => socket.delta(0, { shapes: [["patch", "s1", { x: 100 }]] }));
    expect(seen).toEqual([1, 2]);
    await after(() => socket.delta(1, { shapes: [["patch", "s2", { x: 200 }]] }));
    expect(seen).toEqual([1, 2, 200]);
  });

  test("follows a selector to what it reads next, also when what it answers stays the same", async () => {
    const seen: unknown[] = [];
    const select = (s: Room<ClientBoard>["state"]) => s.shapes.get(s.papers.get("p1")?.text ?? "")?.color;
    const Color = () => {
      seen.push(useRoomState(select));
      return null;
    };
    const { socket } = await show(<Color />, { greeting: { records } });
    await after(() => socket.delta(0, { papers: [["patch", "p1", { text: "s2" }]] }));
    await after(() => socket.delta(1, { shapes: [["patch", "s1", { color: "red" }]] }));
    expect(seen).toEqual([undefined]);
    await after(() => socket.delta(2, { shapes: [["patch", "s2", { color: "blue" }]] }));
    expect(seen).toEqual([undefined, "blue"]);
  });

  test("sees what happens between its first render and its subscription", async () => {
    const Shape = () => useRoomState((s) => s.shapes.get("s1")?.x);
    const Mover = () => {
      const room = useRoom();
      useLayoutEffect(() => void room.transact((tx) => tx.shapes.patch("s1", { x: 50 })), [room]);
      return null;
    };
    const { page } = await show(
      <>
        <Shape />
        <Mover />
      </>,
      { greeting: { records } },
    );
    expect(page.text).toBe("50");
  });

  test("shows a component's own edit before the event is over, so that an input keeps its caret", async () => {
    const Field = () => {
      const room = useRoom();
      const text = useRoomState((s) => s.papers.get("p1")?.text);
      return (
        <input
          value={text}
          onChange={({ target }) => room.transact((tx) => tx.papers.patch("p1", { text: target.value }))}
        />
      );
    };
    const { page } = await show(<Field />, { greeting: { records } });
    const input = page.find<HTMLInputElement>("input");
    await after(() => {
      // As a key does it: the value is there, then React hears of it, and puts back what it was told to show.
      Reflect.set(HTMLInputElement.prototype, "value", "s1x", input);
      input.setSelectionRange(2, 2);
      input.dispatchEvent(new Event("input", { bubbles: true }));
    });
    expect([input.value, input.selectionStart]).toEqual(["s1x", 2]);
  });

  test("renders once for several edits of one event", async () => {
    const seen: unknown[] = [];
    const Shape = () => {
      const room = useRoom();
      seen.push(useRoomState((s) => s.shapes.get("s1")?.x));
      const move = () => {
        for (const x of [10, 20, 30]) room.transact((tx) => tx.shapes.patch("s1", { x }));
      };
      return <button onClick={move}>move</button>;
    };
    const { page } = await show(<Shape />, { greeting: { records } });
    await after(() => page.find("button").click());
    expect(seen).toEqual([1, 30]);
  });

  test("throws to the error boundary what its selector throws, then as at first", async () => {
    const Shape = () => {
      return useRoomState((s) => {
        if (s.shapes.get("s1")?.x !== 1) throw new Error("the app's own");
        return "fine";
      });
    };
    const { page, socket } = await show(<Boundary children={<Shape />} />, { greeting: { records } });
    expect(page.text).toBe("fine");
    await after(() => socket.delta(0, { shapes: [["patch", "s1", { x: 7 }]] }));
    expect(page.text).toBe("oops:  the app's own");
  });

  test("ends with its component", async () => {
    let room: Room<ClientBoard> | undefined;
    const Shape = () => {
      room = useRoom();
      return useRoomState((s) => s.shapes.get("s1")?.x);
    };
    const { rerender } = await show(<Shape />, { greeting: { records }, isStrict: true });
    const { subscriptions } = room as unknown as ClientRoom;
    expect(subscriptions.isEmpty).toBe(false);
    rerender(null);
    expect(subscriptions.isEmpty).toBe(true);
  });
});

describe("a state that changes while React renders", () => {
  test("is never shown half old, half new", async () => {
    const count = 60;
    let setShown: (isShown: boolean) => void = () => {};
    const commits: string[] = [];
    const Slow = () => {
      const x = useRoomState((s) => s.shapes.get("s1")?.x);
      const end = performance.now() + 2;
      while (performance.now() < end); // so that React lets others have their turn
      return <i>{x}</i>;
    };
    const List = () => {
      const [isShown, set] = useState(false);
      setShown = set;
      return isShown ? Array.from({ length: count }, (_, n) => <Slow key={n} />) : null;
    };
    const { page, socket } = await show(
      <Profiler
        id="list"
        onRender={() => {
          const shown = [...document.querySelectorAll("i")].map(({ textContent }) => textContent);
          commits.push([...new Set(shown)].join());
        }}
      >
        <List />
      </Profiler>,
      { greeting: { records } },
    );
    // From here on React works in its own time, in slices.
    globalThis.IS_REACT_ACT_ENVIRONMENT = false;
    try {
      startTransition(() => setShown(true));
      for (let rev = 0; rev < 4; rev++) {
        await new Promise((resolve) => setTimeout(resolve, 12));
        expect(page.container.querySelectorAll("i").length).toBe(0); // in the midst of it
        socket.delta(rev, { shapes: [["patch", "s1", { x: 10 + rev }]] });
      }
      await vi.waitFor(() => expect(page.container.querySelectorAll("i").length).toBe(count), 5_000);
      await new Promise((resolve) => setTimeout(resolve, 50));
    } finally {
      globalThis.IS_REACT_ACT_ENVIRONMENT = true;
    }
    expect(page.container.querySelectorAll("i")[0]?.textContent).toBe("13");
    expect(commits.filter((values) => values !== "")).not.toEqual([]);
    expect(commits.filter((values) => values.includes(","))).toEqual([]);
  });

  test("is told to what is on the page while a transition to another record is being rendered", async () => {
    let choose: (id: string) => void = () => {};
    const Slow = ({ id }: { readonly id: string }) => {
      const x = useRoomState((s) => s.shapes.get(id)?.x);
      const end = performance.now() + 2;
      while (performance.now() < end);
      return <i>{x}</i>;
    };
    const List = () => {
      const [id, set] = useState("s1");
      choose = set;
      return Array.from({ length: 40 }, (_, n) => <Slow key={n} id={id} />);
    };
    const { page, socket } = await show(<List />, { greeting: { records } });
    const shown = () => [...new Set([...page.container.querySelectorAll("i")].map((i) => i.textContent))];
    globalThis.IS_REACT_ACT_ENVIRONMENT = false;
    try {
      startTransition(() => choose("s2"));
      await new Promise((resolve) => setTimeout(resolve, 15));
      expect(shown()).toEqual(["1"]);
      socket.delta(0, { shapes: [["patch", "s1", { x: 11 }]] });
      await Promise.resolve(); // React renders at the end of the turn
      const seen = new Set<string>();
      await vi.waitFor(
        () => {
          for (const x of shown()) seen.add(`${shown().length}:${x}`);
          expect(shown()).toEqual(["2"]);
        },
        { timeout: 5_000, interval: 1 },
      );
      expect([...seen]).toEqual(["1:11", "1:2"]);
      socket.delta(1, { shapes: [["patch", "s2", { x: 22 }]] });
      await vi.waitFor(() => expect(shown()).toEqual(["22"]), 5_000);
    } finally {
      globalThis.IS_REACT_ACT_ENVIRONMENT = true;
    }
  });
});
