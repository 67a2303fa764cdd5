import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { codes } from "../../src/protocol/codes.ts";
import { fakeTimers, joined, pass, toldOf, turn, type Scripted } from "./scripted-room.ts";

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
    for (let minute = 0; minute < 10; minute++) {
      await pass(20_000);
      expect(socket.sent.at(-1)).toBe("ping");
      socket.say("pong");
    }
    expect(socket.sent).toHaveLength(10);
    expect([room.status, server.sockets.length]).toEqual(["online", 1]);
  });

  test("is not there while frames come", async () => {
    const { socket } = await joined();
    for (let n = 0; n < 20; n++) {
      await pass(10_000);
      socket.delta(n, {});
    }
    expect(socket.sent).toEqual([]);
  });

  test("that a ping does not break means that nobody is there", async () => {
    const { room, server, socket } = await joined();
    const told = toldOf({ room });
    await pass(30_000);
    expect(socket.sent).toEqual(["ping"]);
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
    await pass(35_000);
    expect(socket.sent).toEqual(["ping"]);
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
    server.newest.greetAgain({ mark: 1, outcomes: [[1, 1]], delta: { from: 0, to: 1, changes: {} } });
    expect([room.pending, room.rev]).toEqual([0, 1]);
  });
});

describe("the page", () => {
  /** A page of which the test says when it is online and looked at. */
  function stubPage() {
    const listeners: Record<string, (() => void)[]> = { online: [], visibilitychange: [] };
    const events = {
      addEventListener: (type: string, listener: () => void) => listeners[type]?.push(listener),
      removeEventListener: (type: string, listener: () => void) => {
        listeners[type] = listeners[type]?.filter((known) => known !== listener) ?? [];
      },
    };
    const document = { ...events, visibilityState: "visible" };
    vi.stubGlobal("addEventListener", events.addEventListener);
    vi.stubGlobal("removeEventListener", events.removeEventListener);
    vi.stubGlobal("document", document);
    const tell = (type: string) => {
      for (const listener of listeners[type] ?? []) listener();
    };
    return { document, tell, listeners };
  }

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

  test("that wakes up makes a silent connection prove itself, and leaves a busy one alone", async () => {
    const page = stubPage();
    const { socket } = await joined();
    page.tell("online");
    expect(socket.sent).toEqual([]);
    vi.setSystemTime(Date.now() + hour);
    page.tell("visibilitychange");
    expect(socket.sent).toEqual(["ping"]);
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
    expect(page.listeners).toEqual({ online: [], visibilitychange: [] });
  });
});
