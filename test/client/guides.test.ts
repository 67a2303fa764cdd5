import { describe, expect, test, vi } from "vitest";
import { enter } from "virtual:guide/authentication/client.ts";
import { bannerOf } from "virtual:guide/connection/banner.ts";
import { Cable, openWebSocket } from "virtual:guide/connection/cable.ts";
import { openThrifty } from "virtual:guide/connection/hidden.ts";
import { keepingToken, open } from "virtual:guide/connection/token.ts";
import { board } from "virtual:guide/presence/board.ts";
import { cheer, onCheer } from "virtual:guide/presence/cheer.ts";
import { followOthers, pointAt, whoAmI } from "virtual:guide/presence/cursors.ts";
import { connect } from "../../client/index.ts";
import { codes } from "../../src/protocol/codes.ts";
import { fakeTimers, pass, ScriptedRoom, turn, type Greeting } from "../support/rooms/scripted-room.ts";

fakeTimers();

/** A client of the room that docs/guide/presence.md shows. */
async function entered(greeting: Greeting = {}) {
  const server = new ScriptedRoom();
  const room = connect("http://room.test/rooms/lobby", board, {
    transport: server.transport,
    initialPresence: { cursor: null, selected: [] },
  });
  const socket = await server.attempt(1);
  socket.greet(greeting);
  await room.ready;
  return { room, server, socket };
}

describe("docs/guide/presence.md", () => {
  const here = { cursor: null, selected: ["s1"] };

  test("follows the others: who changed is drawn, who did not is left alone, who went is erased", async () => {
    const ada = ["actor-ada", { id: "a", name: "Ada" }, here] as const;
    const ben = ["actor-ben", { id: "b", name: "Ben" }, here] as const;
    const { room, socket } = await entered({ peers: [[...ada], [...ben]] });
    const seen: unknown[] = [];
    const stop = followOthers(
      room,
      ({ clientId, presence }: { clientId: string; presence: unknown }) => seen.push([clientId, presence]),
      (clientId: string) => seen.push([clientId, "gone"]),
    );
    expect(seen.splice(0)).toEqual([
      ["actor-ada", here],
      ["actor-ben", here],
    ]);
    socket.update({ presence: [["set", "actor-ben", { cursor: { x: 1, y: 2 } }]] });
    socket.update({ presence: [["leave", "actor-ada"]] });
    expect(seen.splice(0)).toEqual([
      ["actor-ben", { cursor: { x: 1, y: 2 }, selected: ["s1"] }],
      ["actor-ada", "gone"],
    ]);
    stop();
    socket.update({ presence: [["leave", "actor-ben"]] });
    expect(seen).toEqual([]);
  });

  test("shows where one points, and who one is", async () => {
    const { room, socket } = await entered({ user: { id: "c", name: "Cleo" } });
    await pass(16);
    pointAt(room, 3, 4);
    await turn();
    expect(socket.frames("presence").at(-1)?.presence).toEqual({ cursor: { x: 3, y: 4 }, selected: [] });
    expect(whoAmI(room)).toBe("Cleo");
  });

  test("cheers, and says when it could not", async () => {
    const { room, socket } = await entered({ limits: { ephemeralPerSecond: 10, ephemeralBurst: 4 } });
    const shown: unknown[] = [];
    onCheer(room, (emoji: string, from: string) => shown.push([emoji, from]));
    await pass(5_000);
    expect([1, 2, 3, 4].map(() => cheer(room, "🎉"))).toEqual([true, true, true, false]);
    await turn();
    expect(socket.frames("event")).toHaveLength(3);
    socket.update({ events: [[null, "cheer", { emoji: "👏" }]] });
    expect(shown).toEqual([["👏", "the room"]]);
    expect(() => cheer(room, 5)).toThrow("does not fit");
    socket.drop();
    expect(cheer(room, "🎉")).toBe(false);
  });
});

describe("docs/guide/connection.md", () => {
  test("says above the page what is the matter", async () => {
    const { room, server, socket } = await entered();
    room.on("error", () => {});
    expect(bannerOf(room)).toBeUndefined();
    socket.drop();
    expect(bannerOf(room)).toBe("no network");
    room.transact((tx: any) => tx.shapes.put("s1", { x: 1, y: 1 })); // the board's types are not known here
    expect(bannerOf(room)).toBe("1 changes wait for the network");
    room.on("reject", () => {});
    for (const [code, banner] of [
      ["schema-mismatch", "please reload: there is a newer version"],
      ["forbidden", "this room is closed to you (forbidden)"],
      ["unauthorized", "please sign in again"],
    ] as const) {
      room.reconnect();
      while (room.status !== "closed") {
        await turn();
        server.newest.drop(codes[code].closeCode); // an expired token is asked for twice
      }
      expect(bannerOf(room)).toBe(banner);
    }
    room.close();
  });

  test("keeps a token until it is refused", async () => {
    let fetched = 0;
    const fetchToken = vi.fn<() => Promise<string>>(() => Promise.resolve(`token ${++fetched}`));
    const token = keepingToken(fetchToken);
    expect([await token(false), await token(false), await token(true)]).toEqual([
      "token 1",
      "token 1",
      "token 2",
    ]);
    fetchToken.mockRejectedValueOnce(new Error("no network"));
    await expect(token(true)).rejects.toThrow("no network");
    expect(await token(false)).toBe("token 3");
  });

  test("goes by a cable of which the plug can be pulled, over the runtime's own sockets", async () => {
    const server = new ScriptedRoom();
    // What a constructor returns is what `new` gives.
    vi.stubGlobal("WebSocket", function open(url: string, protocols: string[]) {
      return server.transport(url, protocols);
    });
    try {
      const cable = new Cable(openWebSocket);
      const room = connect("http://room.test/rooms/lobby", board, { transport: cable.transport });
      const socket = await server.attempt(1);
      socket.greet();
      expect([room.status, (socket as { binaryType?: string }).binaryType]).toEqual([
        "online",
        "arraybuffer",
      ]);
      cable.cut();
      socket.drop();
      await pass(60_000);
      expect([room.status, server.sockets.length]).toEqual(["offline", 1]);
      cable.mend();
      while (server.sockets.length === 1) await pass(500);
      server.newest.greetAgain();
      expect(room.status).toBe("online");
      room.close();
      for (const opened of [
        openThrifty("http://room.test/x"),
        open("http://room.test/x", () => Promise.resolve("t")),
      ]) {
        await turn();
        expect(server.newest.url).toBe("ws://room.test/x");
        opened.close();
      }
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

describe("docs/guide/authentication.md", () => {
  test("keeps a token until it is about to expire, or was refused", async () => {
    const server = new ScriptedRoom();
    // What a constructor returns is what `new` gives.
    vi.stubGlobal("WebSocket", function open(url: string, protocols: string[]) {
      return server.transport(url, protocols);
    });
    try {
      let issued = 0;
      const issue = () => Promise.resolve({ token: `token ${++issued}`, expiresAt: Date.now() + 60_000 });
      const room = enter("http://room.test/rooms/lobby", issue);
      (await server.attempt(1)).greet();
      server.newest.drop(codes["token-expired"].closeCode);
      (await server.attempt(2)).greetAgain();
      server.newest.drop();
      await pass(250);
      (await server.attempt(3)).greetAgain();
      vi.setSystemTime(Date.now() + 56_000);
      server.newest.drop();
      await pass(250);
      await server.attempt(4);
      const tokens = ["token 1", "token 2", "token 2", "token 3"];
      expect(server.sockets.map(({ hello }) => hello.token)).toEqual(tokens);
      room.close();
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
