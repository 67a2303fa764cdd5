import { startTransition, Suspense, useState, type ReactNode } from "react";
import { describe, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import { clientBoard } from "../support/boards/client-board.ts";
import { ScriptedRoom, turn } from "../support/rooms/scripted-room.ts";
import { after, board, Boundary, Page, takeSaid } from "./page.tsx";

const { RoomProvider, useRoomState } = board;

const s1 = { shapes: { s1: { x: 1, y: 1 } } };

function Shape() {
  return <b>x = {useRoomState((s) => s.shapes.get("s1")?.x) ?? "none"}</b>;
}

describe.each([{ isStrict: false }, { isStrict: true }])("a provider with suspense %o", ({ isStrict }) => {
  test("renders at once what needs no state, and the rest when there is one", async () => {
    const server = new ScriptedRoom();
    const page = new Page(
      <RoomProvider url="/rooms/lobby" transport={server.transport} suspense fallback="all of it waits">
        <h1>Lobby </h1>
        <Suspense fallback="loading">
          <Shape />
        </Suspense>
      </RoomProvider>,
      { isStrict },
    );
    expect(page.visibleText).toBe("Lobby loading");
    await after(async () => (await server.attempt(1)).greet({ records: s1 }));
    await expect.poll(() => page.visibleText).toBe("Lobby x = 1");
    await after(() => server.newest.delta(0, { shapes: [["patch", "s1", { x: 2 }]] }));
    expect(page.visibleText).toBe("Lobby x = 2");
    expect(server.sockets.length).toBe(1);
    await page.unmount();
    expect(server.newest.closedWith).toBe(1000);
  });

  test("shows its own fallback for children without a boundary", async () => {
    const server = new ScriptedRoom();
    const page = new Page(
      <RoomProvider url="/rooms/lobby" transport={server.transport} suspense fallback="loading">
        <Shape />
      </RoomProvider>,
      { isStrict },
    );
    expect(page.visibleText).toBe("loading");
    await after(async () => (await server.attempt(1)).greet({ records: s1 }));
    await expect.poll(() => page.visibleText).toBe("x = 1");
  });

  test("waits with a promise that is settled", async () => {
    const server = new ScriptedRoom();
    const waits: PromiseLike<void>[] = [];
    const Waiter = () => {
      try {
        // oxlint-disable-next-line react/rules-of-hooks -- it is always called, and what it throws is thrown on
        return <>{useRoomState((s) => s.shapes.size)}</>;
      } catch (wait) {
        waits.push(wait as PromiseLike<void>);
        throw wait;
      }
    };
    const page = new Page(
      <RoomProvider url="/rooms/lobby" transport={server.transport} suspense fallback="loading">
        <Waiter />
      </RoomProvider>,
      { isStrict },
    );
    await after(async () => (await server.attempt(1)).greet({ records: s1 }));
    await expect.poll(() => page.visibleText).toBe("1");
    expect(waits.length).toBeGreaterThan(0);
    await waits.at(-1);
  });

  test("opens the room of another URL also in a transition, and never shows the old state in it", async () => {
    const server = new ScriptedRoom();
    let go: (url: string) => void = () => {};
    const seen: string[] = [];
    const Child = ({ url }: { readonly url: string }) => {
      const x = useRoomState((s) => s.shapes.get("s1")?.x);
      seen.push(`${url} ${x}`);
      return `${url} ${x}`;
    };
    const App = () => {
      const [url, setUrl] = useState("/rooms/a");
      go = setUrl;
      return (
        <RoomProvider url={url} transport={server.transport} suspense fallback="loading">
          <Suspense fallback="list">
            <Child url={url} />
          </Suspense>
        </RoomProvider>
      );
    };
    const page = new Page(<App />, { isStrict });
    await after(async () => (await server.attempt(1)).greet({ records: s1 }));
    await expect.poll(() => page.visibleText).toBe("/rooms/a 1");
    await after(() => startTransition(() => go("/rooms/b")));
    expect(page.visibleText).toBe("list");
    await after(async () => (await server.attempt(2)).greet({ records: { shapes: { s1: { x: 2, y: 2 } } } }));
    await expect.poll(() => page.visibleText).toBe("/rooms/b 2");
    expect(new Set(seen)).toEqual(new Set(["/rooms/a 1", "/rooms/b 2"]));
    expect(server.sockets.map(({ closedWith }) => closedWith)).toEqual([1000, undefined]);
  });

  test("throws to the error boundary why the room refuses", async () => {
    const server = new ScriptedRoom();
    const page = new Page(
      <Boundary>
        <RoomProvider url="/rooms/lobby" transport={server.transport} suspense fallback="loading">
          <Shape />
        </RoomProvider>
      </Boundary>,
      { isStrict },
    );
    await after(async () => (await server.attempt(1)).drop(4401));
    takeSaid();
    expect(page.visibleText).toContain("oops: unauthorized");
  });

  test("waits for a room that was opened before it was rendered", async () => {
    const server = new ScriptedRoom();
    const room = connect("http://room.test/rooms/lobby", clientBoard, { transport: server.transport });
    const page = new Page(
      <RoomProvider room={room} suspense fallback="loading">
        <Shape />
      </RoomProvider>,
      { isStrict },
    );
    expect(page.visibleText).toBe("loading");
    await after(async () => (await server.attempt(1)).greet({ records: s1 }));
    await expect.poll(() => page.visibleText).toBe("x = 1");
    room.close();
  });

  test("opens nothing when something beside it keeps it from the page", async () => {
    const server = new ScriptedRoom();
    const never = new Promise<void>(() => {});
    const Waiting = (): ReactNode => {
      throw never; // oxlint-disable-line typescript/only-throw-error -- as those do who suspend
    };
    const page = new Page(
      <Suspense fallback="suspended">
        <RoomProvider url="/rooms/lobby" transport={server.transport} suspense fallback="loading">
          <Shape />
        </RoomProvider>
        <Waiting />
      </Suspense>,
      { isStrict },
    );
    await after(turn);
    expect(page.visibleText).toBe("suspended");
    expect(server.sockets).toEqual([]);
  });
});
