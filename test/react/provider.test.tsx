import { Activity, Suspense, useLayoutEffect, useState, type ReactNode } from "react";
import { describe, expect, test, vi } from "vitest";
import { connect } from "../../client/index.ts";
import { createRoomContext } from "../../client/react/index.ts";
import { clientBoard } from "../support/boards/client-board.ts";
import { ScriptedRoom, turn } from "../support/rooms/scripted-room.ts";
import { after, board, Boundary, Page, show, takeSaid } from "./page.tsx";

const { RoomProvider, useMutate, useRoom, useRoomState, useStatus } = board;

const s1 = { shapes: { s1: { x: 1, y: 1 } } };

function Shape({ id = "s1" }: { readonly id?: string }) {
  return <b>x = {useRoomState((s) => s.shapes.get(id)?.x) ?? "none"}</b>;
}

describe("a provider", () => {
  test("shows the fallback until there is a state, and then the children", async () => {
    const server = new ScriptedRoom();
    const seen: unknown[] = [];
    const Child = () => {
      seen.push(useRoomState((s) => s.shapes.ids()));
      return <Shape />;
    };
    const page = new Page(
      <RoomProvider url="/rooms/lobby" transport={server.transport} fallback="loading">
        <Child />
      </RoomProvider>,
    );
    expect(page.text).toBe("loading");
    const socket = await after(() => server.attempt(1));
    expect(socket.url).toMatch(/^ws:\/\/localhost:\d+\/rooms\/lobby$/);
    await after(() => {
      socket.open();
      socket.welcome();
    });
    expect(page.text).toBe("loading");
    await after(() => socket.greet({ records: s1 }));
    expect(page.text).toBe("x = 1");
    expect(seen).toEqual([["s1"]]);
  });

  test("opens one socket in StrictMode, asks for one token, and leaves nothing behind", async () => {
    const server = new ScriptedRoom();
    const token = vi.fn<() => string>(() => "t1");
    const page = new Page(
      <RoomProvider url="/rooms/lobby" transport={server.transport} token={token}>
        <Shape />
      </RoomProvider>,
      { isStrict: true },
    );
    await after(async () => (await server.attempt(1)).greet({ records: s1 }));
    await after(turn);
    expect(page.text).toBe("x = 1");
    expect([server.sockets.length, token.mock.calls.length]).toEqual([1, 1]);
    expect(server.newest.closedWith).toBeUndefined();
    await page.unmount();
    expect(server.newest.closedWith).toBe(1000);
    await after(turn);
    expect(server.sockets.length).toBe(1);
  });

  test("opens nothing for a render that never comes to the page", async () => {
    const server = new ScriptedRoom();
    const never = new Promise<void>(() => {});
    const Waiting = (): ReactNode => {
      throw never; // oxlint-disable-line typescript/only-throw-error -- as those do who suspend
    };
    const Failing = (): ReactNode => {
      throw new Error("the app's own");
    };
    const inRoom = (
      <RoomProvider url="/rooms/lobby" transport={server.transport} fallback="loading">
        <Shape />
      </RoomProvider>
    );
    const page = new Page(
      <>
        <Suspense fallback="suspended">
          {inRoom}
          <Waiting />
        </Suspense>
        <Boundary>
          {inRoom}
          <Failing />
        </Boundary>
      </>,
      { isStrict: true },
    );
    await after(turn);
    expect(page.text).toBe("suspendedoops:  the app's own");
    expect(server.sockets).toEqual([]);
  });

  test("leaves the room when it goes", async () => {
    const { page, socket } = await show(<Shape />, { greeting: { records: s1 } });
    await page.unmount();
    expect(socket.closedWith).toBe(1000);
  });

  test("of another URL leaves one room and opens the other, and never shows the state of the first in it", async () => {
    const server = new ScriptedRoom();
    const seen: string[] = [];
    const Child = () => {
      const x = useRoomState((s) => s.shapes.get("s1")?.x);
      seen.push(`${x}`);
      return `x = ${x}`;
    };
    const at = (url: string) => (
      <RoomProvider url={url} transport={server.transport} fallback="loading">
        <Child />
      </RoomProvider>
    );
    const page = new Page(at("/rooms/a"), { isStrict: true });
    await after(async () => (await server.attempt(1)).greet({ records: s1 }));
    expect(page.text).toBe("x = 1");
    seen.length = 0;
    page.render(at("/rooms/b"));
    expect(page.text).toBe("loading");
    const second = await after(() => server.attempt(2));
    expect(server.sockets.map(({ url, closedWith }) => [new URL(url).pathname, closedWith])).toEqual([
      ["/rooms/a", 1000],
      ["/rooms/b", undefined],
    ]);
    await after(() => second.greet({ records: { shapes: { s1: { x: 2, y: 2 } } } }));
    expect(page.text).toBe("x = 2");
    expect(new Set(seen)).toEqual(new Set(["2"]));
  });

  test("stays in its room when it is given other options, and asks the newest function for a token", async () => {
    vi.useFakeTimers();
    const server = new ScriptedRoom();
    const withToken = (token: string) => (
      <RoomProvider url="/rooms/lobby" transport={server.transport} token={() => token}>
        <Shape />
      </RoomProvider>
    );
    const page = new Page(withToken("first"));
    await after(async () => (await server.attempt(1)).greet({ records: s1 }));
    page.render(withToken("second"));
    await after(turn);
    expect(server.sockets.length).toBe(1);
    await after(async () => {
      server.newest.drop();
      await vi.advanceTimersByTimeAsync(1_000);
    });
    expect(server.sockets.map(({ hello }) => hello.token)).toEqual(["first", "second"]);
    vi.useRealTimers();
  });

  test("keeps to itself what a listener or another provider of the same URL does", async () => {
    const [ada, ben] = [new ScriptedRoom(), new ScriptedRoom()];
    const clientIds = new Set<string>();
    const ClientId = () => {
      clientIds.add(useRoom().self.clientId);
      return <Shape />;
    };
    const of = ({ transport }: ScriptedRoom) => (
      <RoomProvider url="/rooms/lobby" transport={transport}>
        <ClientId />
      </RoomProvider>
    );
    const page = new Page(
      <>
        {of(ada)}
        {of(ben)}
      </>,
    );
    await after(async () => (await ada.attempt(1)).greet({ records: s1 }));
    await after(async () => (await ben.attempt(1)).greet({ records: { shapes: { s1: { x: 2, y: 2 } } } }));
    expect(page.text).toBe("x = 1x = 2");
    expect(clientIds.size).toBe(2);
  });

  test("serves the rooms of its own definition: another inside of it is another", async () => {
    const other = createRoomContext(clientBoard);
    const inner = new ScriptedRoom();
    const Both = () => [useRoomState((s) => s.shapes.size), other.useRoomState((s) => s.shapes.size)].join();
    const { page } = await show(
      <other.RoomProvider url="/rooms/inner" transport={inner.transport}>
        <Both />
      </other.RoomProvider>,
      { greeting: { records: s1 } },
    );
    await after(async () => (await inner.attempt(1)).greet());
    expect(page.text).toBe("1,0");
  });

  test("leaves its room while React hides it, and comes back when it is shown", async () => {
    const server = new ScriptedRoom();
    const shown: string[] = [];
    const Child = () => {
      const status = useStatus();
      useLayoutEffect(() => void shown.push(status)); // which run for what is to be seen
      return <Shape />;
    };
    const at = (mode: "visible" | "hidden") => (
      <Activity mode={mode}>
        <RoomProvider url="/rooms/lobby" transport={server.transport} fallback="loading">
          <Child />
        </RoomProvider>
      </Activity>
    );
    const page = new Page(at("visible"));
    await after(async () => (await server.attempt(1)).greet({ records: s1 }));
    page.render(at("hidden"));
    await after(turn);
    expect(server.sockets.map(({ closedWith }) => closedWith)).toEqual([1000]);
    page.render(at("visible"));
    expect(page.text).toBe("loading");
    await after(async () => (await server.attempt(2)).greet({ records: { shapes: { s1: { x: 2, y: 2 } } } }));
    expect(page.text).toBe("x = 2");
    expect(new Set(shown)).toEqual(new Set(["online"]));
  });
});

describe("a provider that goes while calls have no answer", () => {
  function Adder() {
    const { addUp } = useMutate();
    return <button onClick={() => addUp({ id: "c1", by: 1 })}>add</button>;
  }

  test("stays in the room until they have", async () => {
    const { page, socket } = await show(<Adder />);
    page.find("button").click();
    await page.unmount();
    expect(socket.calls.map(({ type }) => type)).toEqual(["addUp"]);
    expect(socket.closedWith).toBeUndefined();
    await after(() =>
      socket.delta(0, { counters: [["put", "c1", { value: 1 }]] }, { lastCallId: 1, outcomes: [[1, 1]] }),
    );
    expect(socket.closedWith).toBe(1000);
  });

  test("leaves after ten seconds all the same", async () => {
    vi.useFakeTimers();
    const { page, server } = await show(<Adder />);
    page.find("button").click();
    await page.unmount();
    await vi.advanceTimersByTimeAsync(9_000);
    expect(server.newest.closedWith).toBeUndefined();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(server.newest.closedWith).toBe(1000);
    expect(takeSaid()).toEqual([expect.stringContaining("addUp was rejected and is undone: closed")]);
    vi.useRealTimers();
  });
});

describe("a room that refuses for good", () => {
  const refuse = async (server: ScriptedRoom, attempt = 1) => {
    await after(async () => {
      const socket = await server.attempt(attempt);
      socket.open();
      socket.drop(4401);
    });
    expect(takeSaid()).toEqual([expect.stringContaining("deltaroom: unauthorized")]);
  };

  test("is an error for the nearest boundary", async () => {
    const server = new ScriptedRoom();
    const page = new Page(
      <Boundary>
        <RoomProvider url="/rooms/lobby" transport={server.transport} fallback="loading">
          <Shape />
        </RoomProvider>
      </Boundary>,
      { isStrict: true },
    );
    await refuse(server);
    expect(page.text).toContain("oops: unauthorized");
    await after(turn);
    expect(server.sockets.length).toBe(1);
  });

  test("is shown by errorFallback where there is one, and its retry opens the room anew", async () => {
    const server = new ScriptedRoom();
    const page = new Page(
      <RoomProvider
        url="/rooms/lobby"
        transport={server.transport}
        fallback="loading"
        errorFallback={(error, retry) => <button onClick={retry}>{(error as { code: string }).code}</button>}
      >
        <Shape />
      </RoomProvider>,
      { isStrict: true },
    );
    await refuse(server);
    expect(page.text).toBe("unauthorized");
    await after(() => page.find("button").click());
    expect(page.text).toBe("loading");
    await refuse(server, 2);
    expect(page.text).toBe("unauthorized");
    await after(() => page.find("button").click());
    await after(async () => (await server.attempt(3)).greet({ records: s1 }));
    expect(page.text).toBe("x = 1");
    expect(server.sockets.length).toBe(3);
  });

  test("later on leaves what it has said on the page, with the status that says so", async () => {
    const Status = () => useStatus();
    const { page, server } = await show(
      <>
        <Shape /> <Status />
      </>,
      { greeting: { records: s1 } },
    );
    expect(page.text).toBe("x = 1 online");
    await after(() => server.newest.drop(4426));
    takeSaid();
    expect(page.text).toBe("x = 1 closed");
  });

  test.each([
    ["a URL that is none", { url: "http://", presence: { x: 1, y: 1 } }],
    ["a presence that does not fit", { url: "/rooms/lobby", presence: { x: "far", y: 1 } as never }],
  ])("and %s are errors alike", async (_, { url, presence }) => {
    const provider = (errorFallback?: () => string) => (
      <Boundary>
        <RoomProvider
          url={url}
          initialPresence={presence}
          {...(errorFallback && { errorFallback })}
          fallback="loading"
        >
          <Shape />
        </RoomProvider>
      </Boundary>
    );
    expect(new Page(provider()).text).toMatch(/^oops: /);
    expect(new Page(provider(() => "cannot be opened")).text).toBe("cannot be opened");
  });
});

describe("a provider that is given a room", () => {
  const opened = async (x: number) => {
    const server = new ScriptedRoom();
    const room = connect("http://room.test/rooms/lobby", clientBoard, { transport: server.transport });
    const greet = async () => (await server.attempt(1)).greet({ records: { shapes: { s1: { x, y: 0 } } } });
    return { room, server, greet };
  };

  test("shows its children at once when that is ready, and leaves it open when it goes", async () => {
    const { room, server, greet } = await opened(1);
    await greet();
    const page = new Page(
      <RoomProvider room={room} fallback="loading">
        <Shape />
      </RoomProvider>,
      { isStrict: true },
    );
    expect(page.text).toBe("x = 1");
    await page.unmount();
    expect(server.newest.closedWith).toBeUndefined();
    room.close();
  });

  test("waits for it when it is not", async () => {
    const { room, greet } = await opened(1);
    const page = new Page(
      <RoomProvider room={room} fallback="loading">
        <Shape />
      </RoomProvider>,
    );
    expect(page.text).toBe("loading");
    await after(greet);
    expect(page.text).toBe("x = 1");
    room.close();
  });

  test("shows another room's state when it is given that, and hears no more of the first", async () => {
    const [a, b] = [await opened(1), await opened(2)];
    await Promise.all([a.greet(), b.greet()]);
    const seen: string[] = [];
    const Child = () => {
      const x = useRoomState((s) => s.shapes.get("s1")?.x);
      seen.push(`${useRoom() === a.room ? "a" : "b"}${x}`);
      return null;
    };
    const page = new Page(<RoomProvider room={a.room} children={<Child />} />);
    page.render(<RoomProvider room={b.room} children={<Child />} />);
    await after(() => a.room.transact((tx) => tx.shapes.patch("s1", { x: 10 })));
    await after(() => b.room.transact((tx) => tx.shapes.patch("s1", { x: 20 })));
    expect(seen).toEqual(["a1", "b2", "b20"]);
    for (const { room } of [a, b]) {
      room.on("reject", () => {});
      room.close();
    }
  });

  test("asks it to try again when it was refused", async () => {
    const { room, server } = await opened(1);
    const page = new Page(
      <RoomProvider
        room={room}
        fallback="loading"
        errorFallback={(_, retry) => <button onClick={retry}>refused</button>}
      >
        <Shape />
      </RoomProvider>,
    );
    await after(async () => (await server.attempt(1)).drop(4401));
    takeSaid();
    expect(page.text).toBe("refused");
    await after(() => page.find("button").click());
    expect(page.text).toBe("loading");
    await after(async () => (await server.attempt(2)).greet({ records: s1 }));
    expect(page.text).toBe("x = 1");
    room.close();
  });
});

describe("every hook", () => {
  const hooks: Record<string, () => unknown> = {
    useRoom: () => board.useRoom(),
    useRoomState: () => board.useRoomState((s) => s.shapes.size),
    useMutate: () => board.useMutate(),
    useMyPresence: () => board.useMyPresence(),
    useOthers: () => board.useOthers(),
    useSelf: () => board.useSelf(),
    useStatus: () => board.useStatus(),
    usePending: () => board.usePending(),
    useHistory: () => board.useHistory(),
    useBroadcast: () => board.useBroadcast(),
    useErrorListener: () => board.useErrorListener(() => {}),
    useEventListener: () => board.useEventListener("wave", () => {}),
  };

  test("is tried", () => {
    expect(Object.keys({ ...hooks, RoomProvider }).toSorted()).toEqual(Object.keys(board).toSorted());
  });

  test.each(Object.entries(hooks))("throws what is wrong outside of a provider: %s", (name, hook) => {
    const Caller = () => {
      hook();
      return null;
    };
    const page = new Page(<Boundary children={<Caller />} />);
    expect(page.text).toContain(`${name} was called outside of its <RoomProvider>`);
  });

  test.each(Object.entries(hooks))("answers the same object for the same state: %s", async (_, hook) => {
    const answers: unknown[] = [];
    let again = () => {};
    const Caller = () => {
      const [, count] = useState(0);
      again = () => count((n) => n + 1);
      answers.push(hook());
      return null;
    };
    await show(<Caller />, { greeting: { records: s1 }, presence: { x: 1, y: 1 } });
    await after(again);
    expect(answers.length).toBe(2);
    expect(answers[1]).toBe(answers[0]);
  });
});

test("a module that is replaced three times while developing leaves one client in the room", async () => {
  const server = new ScriptedRoom();
  // Each run of the module makes a context, hence a provider, of its own, as a development server's hot reload does.
  const run = () => {
    const { RoomProvider } = createRoomContext(clientBoard);
    return <RoomProvider url="/rooms/lobby" transport={server.transport} fallback="loading" />;
  };
  const page = new Page(run(), { isStrict: true });
  await after(async () => (await server.attempt(1)).greet());
  for (let reload = 1; reload <= 3; reload++) {
    page.render(run());
    await after(async () => (await server.attempt(reload + 1)).greet());
    expect(server.sockets.map(({ closedWith }) => closedWith)).toEqual([
      ...Array.from({ length: reload }, () => 1000),
      undefined,
    ]);
  }
});
