import { memo } from "react";
import { describe, expect, test } from "vitest";
import type { Room } from "../../client/index.ts";
import type { ClientBoard } from "../support/boards/client-board.ts";
import { after, board, show } from "./page.tsx";

const { usePending, useRoom } = board;

const records = { shapes: { s1: { x: 1, y: 1 }, s2: { x: 2, y: 2 } } };

let room: Room<ClientBoard>;
function Keep() {
  room = useRoom();
  return null;
}

describe("usePending", () => {
  test("counts the calls that wait for their answer", async () => {
    const Count = () => usePending();
    const { page, socket } = await show([<Keep key="keep" />, <Count key="count" />], {
      greeting: { records },
    });
    expect(page.text).toBe("0");
    await after(() => {
      room.mutate.addUp({ id: "c1", by: 1 });
      room.mutate.addUp({ id: "c1", by: 1 });
    });
    expect(page.text).toBe("2");
    await after(() =>
      socket.delta(0, { counters: [["put", "c1", { value: 1 }]] }, { lastCallId: 1, outcomes: [[1, 1]] }),
    );
    expect(page.text).toBe("1");
  });

  test("says of one record whether a call that waits has changed it", async () => {
    const seen: boolean[] = [];
    const Row = () => {
      seen.push(usePending("shapes", "s1"));
      return null;
    };
    const { socket } = await show([<Keep key="keep" />, <Row key="row" />], { greeting: { records } });
    await after(() => room.transact((tx) => tx.shapes.patch("s2", { x: 5 })));
    await after(() => room.transact((tx) => tx.shapes.patch("s1", { x: 5 })));
    await after(() => room.mutate.addUp({ id: "c1", by: 1 }));
    expect(seen).toEqual([false, true]);
    const changes = { shapes: [["patch", "s1", { x: 5 }] as ["patch", string, object]] };
    await after(() =>
      socket.delta(0, changes as never, {
        lastCallId: 2,
        outcomes: [
          [1, 1],
          [2, 1],
        ],
      }),
    );
    expect(seen).toEqual([false, true, false]);
  });

  test("hears of an answer also when a listener makes the next call of it, so that as many wait as before", async () => {
    const Row = ({ id }: { readonly id: string }) => `${id} ${usePending("shapes", id)} `;
    const { page, socket } = await show(
      [<Keep key="keep" />, <Row key="s1" id="s1" />, <Row key="s2" id="s2" />],
      {
        greeting: { records },
      },
    );
    await after(() => room.transact((tx) => tx.shapes.patch("s1", { x: 5 })));
    expect(page.text).toBe("s1 true s2 false ");
    room.subscribe(
      (s) => s.shapes.get("s1")?.y,
      (y) => room.transact((tx) => tx.shapes.patch("s2", { y: y ?? 0 })),
    );
    const changes = { shapes: [["patch", "s1", { x: 5, y: 9 }] as ["patch", string, object]] };
    await after(() => socket.delta(0, changes as never, { lastCallId: 1, outcomes: [[1, 1]] }));
    expect(room.pending).toBe(1);
    expect(page.text).toBe("s1 false s2 true ");
  });

  test("hears of a prediction that no longer holds", async () => {
    const Row = () => `${usePending("shapes", "s1")}`;
    const { page, socket } = await show([<Keep key="keep" />, <Row key="row" />], { greeting: { records } });
    await after(() => room.mutate.paint({ id: "s1", color: "red" }));
    expect(page.text).toBe("true");
    await after(() => socket.delta(0, { shapes: [["delete", "s1"]] }));
    expect([room.pending, page.text]).toEqual([1, "false"]);
  });

  test("renders, of 5,000 rows, those alone of which it has changed", async () => {
    const ids = Array.from({ length: 5_000 }, (_, n) => `s${n}`);
    const rendered: string[] = [];
    const Row = memo(({ id }: { readonly id: string }) => {
      rendered.push(`${id} ${usePending("shapes", id)}`);
      return null;
    });
    const shapes = Object.fromEntries(ids.map((id, x) => [id, { x, y: 0 }]));
    await show([<Keep key="keep" />, ...ids.map((id) => <Row key={id} id={id} />)], {
      greeting: { records: { shapes } },
    });
    rendered.length = 0;
    await after(() => room.transact((tx) => tx.shapes.patch("s7", { x: -1 })));
    expect(rendered).toEqual(["s7 true"]);
  });

  test("is asked of another record when the props say so", async () => {
    const Row = ({ id }: { readonly id: string }) => `${usePending("shapes", id)}`;
    const { page, rerender } = await show([<Keep key="keep" />, <Row key="row" id="s1" />], {
      greeting: { records },
      isStrict: true,
    });
    await after(() => room.transact((tx) => tx.shapes.patch("s2", { x: 5 })));
    expect(page.text).toBe("false");
    rerender(<Row key="row" id="s2" />);
    expect(page.text).toBe("true");
  });
});
