import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { codes } from "../../../src/protocol/codes.ts";
import {
  fakeTimers,
  joined,
  pass,
  scripted,
  toldOf,
  turn,
  type Scripted,
} from "../../support/rooms/scripted-room.ts";

const hour = 3_600_000;

fakeTimers();
beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0.5));
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe("silence", () => {
  test("is broken by a ping, and as long as somebody answers the connection stays", async () => {
    const { room, server, socket } = await joined();
    for (let ping = 1; ping <= 60; ping++) {
      await pass(10_000);
      expect(socket.sent).toHaveLength(ping);
      expect(socket.sent.at(-1)).toBe("ping");
      socket.say("pong");
    }
    expect([room.status, server.sockets.length]).toEqual(["online", 1]);
  });

  test("of the client is not there while others talk: the room is told every 10 s that it listens", async () => {
    const { room, server, socket } = await joined();
    for (let n = 0; n < 60; n++) {
      await pass(1_000);
      socket.delta(n, {});
    }
    expect(socket.sent).toEqual(Array.from({ length: 6 }, () => "ping"));
    expect([room.status, server.sockets.length]).toEqual(["online", 1]);
  });

  test("is broken at once for a room that asks, whatever the timers of a hidden page do", async () => {
    const { room, socket } = await joined({ rev: 3 });
    const told = toldOf({ room });
    socket.say("ping");
    expect(socket.sent).toEqual(["ping"]);
    expect(told).toEqual([]);
  });

  test("that a ping does not break means that nobody is there", async () => {
    const { room, server, socket } = await joined();
    const told = toldOf({ room });
    await pass(19_999);
    expect([socket.sent, socket.closedWith]).toEqual([["ping"], undefined]);
    await pass(1);
    expect(socket.closedWith).toBe(1000);
    expect(server.sockets).toHaveLength(2);
    server.newest.greetAgain();
    expect(told).toEqual(["connecting", "online"]);
  });

  test("is no proof when the client itself was asleep: it asks before it gives up", async () => {
    const { server, socket } = await joined();
    // Timers of a hidden tab run once a minute.
    for (let minute = 0; minute < 5; minute++) {
      vi.setSystemTime(Date.now() + 60_000);
      await pass(5_000);
      expect(socket.sent).toHaveLength(minute + 1);
      socket.say("pong");
    }
    expect(server.sockets).toHaveLength(1);
  });

  test("is noticed as soon when the clock was set back a day", async () => {
    const { server, socket } = await joined();
    vi.setSystemTime(Date.now() - 86_400_000);
    await pass(20_000);
    expect(socket.sent).not.toEqual([]);
    expect(server.sockets).toHaveLength(2);
  });

  test("in place of a catch-up that was asked for, for 10 s, means the same", async () => {
    const { server, socket } = await joined({ rev: 5 });
    socket.delta(9, {});
    expect(socket.frames("resync")).toHaveLength(1);
    for (let second = 0; second < 16; second++) {
      await pass(1_000);
      socket.say("pong");
    }
    expect(server.sockets).toHaveLength(2);
    server.newest.open(); // and nothing more
    await pass(16_000);
    expect(server.sockets).toHaveLength(3);
  });

  test("about a call for 10 s means that the connection is not what it seems", async () => {
    const { room, server, socket } = await joined();
    await pass(3_000);
    room.mutate.addUp({ id: "c1", by: 1 });
    for (let second = 0; second < 16; second++) {
      await pass(1_000);
      socket.say("pong");
    }
    expect(server.sockets).toHaveLength(2);
    server.newest.greetAgain({ lastCallId: 1, outcomes: [[1, 1]], delta: { from: 0, to: 1, changes: {} } });
    expect([room.pending, room.rev]).toEqual([0, 1]);
  });
});

/** A page of which the test says when it is online and looked at. */
function stubPage() {
  const listeners: Record<string, (() => void)[]> = {};
  const events = {
    addEventListener: (type: string, listener: () => void) => void (listeners[type] ??= []).push(listener),
    removeEventListener: (type: string, listener: () => void) => {
      listeners[type] = listeners[type]?.filter((known) => known !== listener) ?? [];
    },
  };
  const document = { ...events, visibilityState: "visible", prerendering: false };
  vi.stubGlobal("addEventListener", events.addEventListener);
  vi.stubGlobal("removeEventListener", events.removeEventListener);
  vi.stubGlobal("document", document);
  const tell = (type: string) => {
    for (const listener of listeners[type] ?? []) listener();
  };
  return { document, tell, listeners };
}

describe("the page", () => {
  async function waiting(): Promise<Scripted & { attempts: number }> {
    vi.mocked(Math.random).mockReturnValue(0.999);
    const { room, server, socket } = await joined();
    socket.drop();
    for (let failures = 0; failures < 8; failures++) {
      await pass(15_000);
      server.newest.fail();
    }
    return { room, server, attempts: server.sockets.length };
  }

  test("that has a network again makes the client try at once", async () => {
    const page = stubPage();
    const { room, server, attempts } = await waiting();
    page.tell("online");
    await turn();
    expect([room.status, server.sockets.length]).toEqual(["connecting", attempts + 1]);
    server.newest.greetAgain();
    expect(room.status).toBe("online");
  });

  test("that is looked at again makes the client try at once, but not when it is hidden", async () => {
    const page = stubPage();
    const { server, attempts } = await waiting();
    page.document.visibilityState = "hidden";
    page.tell("visibilitychange");
    await turn();
    expect(server.sockets).toHaveLength(attempts);
    page.document.visibilityState = "visible";
    page.tell("visibilitychange");
    await turn();
    expect(server.sockets).toHaveLength(attempts + 1);
  });

  test("that wakes up makes a connection prove itself within 10 s", async () => {
    const page = stubPage();
    const { server, socket } = await joined();
    vi.setSystemTime(Date.now() + hour);
    page.tell("visibilitychange");
    expect(socket.sent).toEqual(["ping"]);
    socket.say("pong");
    await pass(9_000);
    expect(server.sockets).toHaveLength(1);
    page.tell("online");
    await pass(10_000);
    expect(server.sockets).toHaveLength(2);
  });

  test("wakes nobody who was sent away or has left", async () => {
    const page = stubPage();
    const { room, server, socket } = await joined();
    toldOf({ room });
    socket.drop(codes.forbidden.closeCode);
    page.tell("online");
    await pass(hour);
    expect(server.sockets).toHaveLength(1);
    room.close();
    expect(Object.keys(page.listeners)).toEqual(expect.arrayContaining(["online", "visibilitychange"]));
    expect(Object.values(page.listeners).flat()).toEqual([]);
  });
});

describe("a page that stops", () => {
  test.each([
    ["is kept for the way back", "pagehide", "pageshow"],
    ["is frozen", "freeze", "resume"],
  ])("because it %s leaves the room at once, and comes back with all that waits", async (_, stop, start) => {
    const page = stubPage();
    const { room, server, socket } = await joined();
    const told = toldOf({ room });
    const sent = room.mutate.addUp({ id: "c1", by: 1 });
    page.tell(stop); // in the same turn: what waits to be gathered goes first
    expect(socket.ids).toEqual([1]);
    expect([room.status, socket.closedWith]).toEqual(["offline", 1000]);
    room.mutate.addUp({ id: "c1", by: 2 });
    page.tell("online");
    page.tell("visibilitychange");
    room.reconnect();
    await pass(hour);
    expect([server.sockets.length, vi.getTimerCount()]).toEqual([1, 0]);
    page.tell(start);
    page.tell(start);
    (await server.attempt(2)).greetAgain({
      lastCallId: 1,
      outcomes: [[1, 1]],
      delta: { from: 0, to: 1, changes: {} },
    });
    expect(await sent.committed).toEqual({ rev: 1 });
    expect(server.newest.ids).toEqual([2]);
    expect(told).toEqual(["offline", "connecting", "online"]);
    expect(server.sockets).toHaveLength(2);
  });

  test("in the midst of an attempt gives that up", async () => {
    const page = stubPage();
    let give: (token: string) => void = () => {};
    const { room, server } = scripted({ token: () => new Promise<string>((resolve) => (give = resolve)) });
    await turn();
    page.tell("pagehide");
    give("late");
    await pass(hour);
    expect([room.status, server.sockets.length, vi.getTimerCount()]).toEqual(["offline", 0, 0]);
    page.tell("pageshow");
    await turn();
    give("good");
    (await server.attempt(1)).greet();
    expect(room.status).toBe("online");
  });

  test("leaves alone what the app has said: a client that was told to go offline stays there", async () => {
    const page = stubPage();
    const { room, server } = await joined();
    room.disconnect();
    page.tell("pagehide");
    page.tell("pageshow");
    await pass(hour);
    expect([room.status, server.sockets.length]).toEqual(["offline", 1]);
  });

  test("and runs again while it is hidden still disconnects after its time", async () => {
    const page = stubPage();
    const { room, server } = await joined({}, { disconnectWhenHidden: 4_000 });
    page.document.visibilityState = "hidden";
    page.tell("visibilitychange");
    page.tell("freeze");
    page.tell("resume");
    (await server.attempt(2)).greetAgain();
    await pass(4_000);
    expect([room.status, server.sockets.length]).toEqual(["offline", 2]);
  });

  test("is not one that asks whether to leave, and is told to stay", async () => {
    const page = stubPage();
    const { room, server } = await joined();
    page.tell("beforeunload");
    expect([room.status, server.sockets.length]).toEqual(["online", 1]);
  });
});

test("a page that is prerendered opens no socket and asks for no token before a person sees it", async () => {
  const page = stubPage();
  Object.assign(page.document, { prerendering: true, visibilityState: "hidden" });
  const token = vi.fn<() => string>(() => "token");
  const { room, server } = scripted({ token });
  await pass(hour);
  expect([room.status, server.sockets.length, token.mock.calls.length]).toEqual(["offline", 0, 0]);
  Object.assign(page.document, { prerendering: false, visibilityState: "visible" });
  page.tell("prerenderingchange");
  page.tell("visibilitychange");
  (await server.attempt(1)).greet();
  expect([room.status, server.sockets.length]).toEqual(["online", 1]);
});

describe("a page that disconnects when it is hidden", () => {
  const hiddenMs = 60_000;

  /** Joins from a page that is looked at. */
  async function watched(options = {}) {
    const page = stubPage();
    const look = (visibilityState: string) => {
      page.document.visibilityState = visibilityState;
      page.tell("visibilitychange");
    };
    return { look, page, ...(await joined({}, { disconnectWhenHidden: hiddenMs, ...options })) };
  }

  /** Lets time pass in which the room answers pings. */
  async function passAnswered(server: Scripted["server"], ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += 5_000) {
      await pass(Math.min(5_000, ms - passedMs));
      if (server.newest.closedWith === undefined) server.newest.say("pong");
    }
  }

  test("does so after that time, and is back at once when it is looked at", async () => {
    const { room, server, socket, look, page } = await watched();
    const told = toldOf({ room });
    look("hidden");
    await passAnswered(server, hiddenMs - 1);
    expect(room.status).toBe("online");
    await pass(1);
    expect([room.status, socket.closedWith]).toEqual(["offline", 1000]);
    page.tell("online"); // which is no reason for one whom nobody looks at
    await pass(hour);
    expect(server.sockets).toHaveLength(1);
    look("visible");
    (await server.attempt(2)).greetAgain();
    expect(told).toEqual(["offline", "connecting", "online"]);
    await passAnswered(server, 3 * hiddenMs);
    expect(server.sockets).toHaveLength(2);
  });

  test("does not when it is looked at before", async () => {
    const { room, server, look } = await watched();
    look("hidden");
    await passAnswered(server, hiddenMs - 1_000);
    look("visible");
    await passAnswered(server, 3 * hiddenMs);
    expect([room.status, server.sockets.length]).toEqual(["online", 1]);
  });

  test("does not when nobody said so", async () => {
    for (const disconnectWhenHidden of [false, undefined]) {
      const { room, server, look } = await watched({ disconnectWhenHidden });
      look("hidden");
      await passAnswered(server, 3 * hiddenMs);
      expect([room.status, server.sockets.length]).toEqual(["online", 1]);
    }
  });

  test("waits for the answers to its calls", async () => {
    const { room, server, socket, look } = await watched({ disconnectWhenHidden: 4_000 });
    look("hidden");
    await pass(1_000);
    room.mutate.addUp({ id: "c1", by: 1 });
    await pass(3_000);
    expect([room.status, room.pending]).toEqual(["online", 1]);
    socket.delta(0, { counters: [["put", "c1", { value: 1 }]] }, { lastCallId: 1, outcomes: [[1, 1]] });
    await pass(3_999);
    expect(room.status).toBe("online");
    await pass(1);
    expect([room.status, room.pending, server.sockets.length]).toEqual(["offline", 0, 1]);
  });

  test("comes back for a call, and goes again", async () => {
    const { room, server, look } = await watched();
    look("hidden");
    await passAnswered(server, hiddenMs);
    expect(room.status).toBe("offline");
    const call = room.mutate.addUp({ id: "c1", by: 1 });
    (await server.attempt(2)).greetAgain();
    server.newest.delta(
      0,
      { counters: [["put", "c1", { value: 1 }]] },
      { lastCallId: 1, outcomes: [[1, 1]] },
    );
    expect(await call.committed).toEqual({ rev: 1 });
    await passAnswered(server, hiddenMs);
    expect([room.status, server.newest.closedWith]).toEqual(["offline", 1000]);
    look("visible");
    await server.attempt(3);
  });

  test("is one that was opened in the background as well", async () => {
    const page = stubPage();
    page.document.visibilityState = "hidden";
    const { room, server } = await joined({}, { disconnectWhenHidden: hiddenMs });
    await passAnswered(server, hiddenMs);
    expect(room.status).toBe("offline");
  });

  test("leaves alone what the app has said: who was told to go offline stays there", async () => {
    const { room, server, look } = await watched();
    look("hidden");
    await passAnswered(server, hiddenMs);
    room.disconnect();
    look("visible");
    await pass(hour);
    expect([room.status, server.sockets.length]).toEqual(["offline", 1]);
    room.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
