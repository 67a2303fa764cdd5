import { useState } from "react";
import { describe, expect, test } from "vitest";
import type { Room } from "../../client/index.ts";
import type { ClientBoard } from "../support/boards/client-board.ts";
import { after, board, show } from "./page.tsx";

const { useBroadcast, useErrorListener, useEventListener, useOthers, useMyPresence, useSelf, useStatus } =
  board;

const ada = ["actor-a", { id: "a", name: "Ada" }, { x: 1, y: 1 }] as const;
const ben = ["actor-b", null, { x: 2, y: 2 }] as const;
const peers = [[...ada], [...ben]] as [string, null, { x: number; y: number }][];

describe("useOthers", () => {
  test("renders again when somebody comes, moves or goes, and keeps those who did not change", async () => {
    const seen: Room<ClientBoard>["others"][] = [];
    const Others = () => {
      seen.push(useOthers());
      return null;
    };
    const { socket } = await show(<Others />);
    await after(() => socket.say({ kind: "peers", peers }));
    await after(() => socket.say({ kind: "peers", peers })); // as after every reconnect
    await after(() => socket.delta(0, { counters: [["put", "c1", { value: 1 }]] }));
    expect(seen.map((others) => others.map(({ clientId }) => clientId))).toEqual([
      [],
      ["actor-a", "actor-b"],
    ]);
    await after(() => socket.update({ presence: [["set", "actor-a", { x: 9, y: 1 }]] }));
    expect(seen.length).toBe(3);
    expect(seen[2]?.[0]?.presence).toEqual({ x: 9, y: 1 });
    expect(seen[2]?.[1]).toBe(seen[1]?.[1]);
  });

  test("with a selector renders again only when that answers something else", async () => {
    const seen: unknown[] = [];
    const Names = () => {
      seen.push(useOthers((others) => others.map(({ clientId, user }) => user?.name ?? clientId)));
      return null;
    };
    const { socket } = await show(<Names />);
    await after(() => socket.say({ kind: "peers", peers }));
    await after(() => socket.update({ presence: [["set", "actor-a", { x: 9, y: 1 }]] }));
    await after(() => socket.update({ presence: [["leave", "actor-b"]] }));
    expect(seen).toEqual([[], ["Ada", "actor-b"], ["Ada"]]);
  });

  test("selects by what the props say now", async () => {
    const Cursor = ({ clientId }: { readonly clientId: string }) => {
      return useOthers((others) => others.find((other) => other.clientId === clientId)?.presence.x);
    };
    const { page, socket, rerender } = await show(<Cursor clientId="actor-a" />);
    await after(() => socket.say({ kind: "peers", peers }));
    expect(page.text).toBe("1");
    rerender(<Cursor clientId="actor-b" />);
    expect(page.text).toBe("2");
    await after(() => socket.update({ presence: [["set", "actor-b", { x: 5, y: 1 }]] }));
    expect(page.text).toBe("5");
  });
});

describe("useSelf", () => {
  test("hears who this is as soon as the room has said so, and of every change of it", async () => {
    const seen: unknown[] = [];
    const Self = () => {
      const { user, presence } = useSelf();
      seen.push([user?.name, presence.x]);
      return null;
    };
    const greeting = { user: { id: "u1", name: "Ada" } };
    const { socket } = await show(<Self />, { greeting, presence: { x: 1, y: 1 } });
    await after(() => socket.welcome({ user: { ...greeting.user } })); // as after every reconnect
    await after(() => socket.welcome({ user: { id: "u1", name: "Ada L." } }));
    expect(seen).toEqual([
      ["Ada", 1],
      ["Ada L.", 1],
    ]);
  });

  test("has the access, and renders again when a reconnection changes it", async () => {
    const seen: unknown[] = [];
    const Access = () => {
      seen.push(useSelf(({ access }) => access));
      return null;
    };
    const { socket } = await show(<Access />);
    await after(() => socket.welcome({ access: "read" }));
    expect(seen).toEqual(["write", "read"]);
  });

  test("with a selector renders again only when that answers something else", async () => {
    const seen: unknown[] = [];
    const Name = () => {
      const [, update] = useMyPresence();
      seen.push(useSelf(({ user }) => user?.name));
      return <button onClick={() => update({ x: 5 })}>move</button>;
    };
    const Alone = () => {
      seen.push(useSelf(({ user }) => user?.name));
      return null;
    };
    const { page } = await show(
      <>
        <Alone />
        <Name />
      </>,
      { greeting: { user: { id: "u1", name: "Ada" } }, presence: { x: 1, y: 1 } },
    );
    await after(() => page.find("button").click());
    expect(seen).toEqual(["Ada", "Ada", "Ada"]); // the last is the one that reads the presence too
  });
});

describe("useMyPresence", () => {
  test("answers this client's presence and how to change it", async () => {
    const updates = new Set<unknown>();
    const Cursor = () => {
      const [{ x, y }, update] = useMyPresence();
      updates.add(update);
      return <button onClick={() => update({ x: x + 1 })}>{`${x},${y}`}</button>;
    };
    const { page, socket } = await show(<Cursor />, { presence: { x: 1, y: 7 } });
    expect(page.text).toBe("1,7");
    await after(() => page.find("button").click());
    expect(page.text).toBe("2,7");
    expect(updates.size).toBe(1);
    await after(() => new Promise((resolve) => setTimeout(resolve, 30)));
    expect(socket.frames("presence").at(-1)?.presence).toEqual({ x: 2, y: 7 });
  });
});

describe("useEventListener", () => {
  test("calls the listener of the last render, and none when the component is gone", async () => {
    const heard: string[] = [];
    const Ear = ({ name }: { readonly name: string }) => {
      useEventListener("wave", ({ text }, from) => heard.push(`${name}: ${text} from ${from?.clientId}`));
      return null;
    };
    const { socket, rerender } = await show(<Ear name="first" />, { isStrict: true });
    const wave = (text: string) => after(() => socket.update({ events: [["actor-a", "wave", { text }]] }));
    await wave("one");
    rerender(<Ear name="second" />);
    await wave("two");
    rerender(null);
    await wave("three");
    expect(heard).toEqual(["first: one from actor-a", "second: two from actor-a"]);
  });
});

describe("useErrorListener", () => {
  test("calls the listener of the last render with an error of the room", async () => {
    const heard: string[] = [];
    const Ear = ({ name }: { readonly name: string }) => {
      useErrorListener(({ code }) => heard.push(`${name}: ${code}`));
      return null;
    };
    const { socket, rerender } = await show(<Ear name="first" />, { isStrict: true });
    const fail = () => after(() => socket.say({ kind: "error", code: "too-large", message: "too large" }));
    await fail();
    rerender(<Ear name="second" />);
    await fail();
    expect(heard).toEqual(["first: too-large", "second: too-large"]);
  });
});

describe("useBroadcast", () => {
  test("returns what sends an event, the same function in every render", async () => {
    const functions = new Set<unknown>();
    const Waver = () => {
      const broadcast = useBroadcast();
      const [count, again] = useState(0);
      functions.add(broadcast);
      const wave = () => {
        broadcast("wave", { text: "hi" });
        again(count + 1);
      };
      return <button onClick={wave}>{count}</button>;
    };
    const { page, socket } = await show(<Waver />);
    await after(() => page.find("button").click());
    await after(() => new Promise((resolve) => setTimeout(resolve, 30)));
    expect([page.text, functions.size]).toEqual(["1", 1]);
    expect(socket.frames("event").at(-1)).toMatchObject({ event: "wave", payload: { text: "hi" } });
  });
});

describe("useStatus", () => {
  test("says how the room is reached", async () => {
    const seen: string[] = [];
    const Status = () => {
      const [, again] = useState(0);
      const status = useStatus();
      seen.push(status);
      return <button onClick={() => again((n) => n + 1)}>{status}</button>;
    };
    const { page, socket } = await show(<Status />);
    expect(page.text).toBe("online");
    await after(() => socket.drop());
    expect(page.text).toBe("offline");
    expect(seen).toEqual(["online", "offline"]);
  });
});
