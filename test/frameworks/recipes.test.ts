import { effect, signal, type ReadonlySignal } from "@preact/signals-core";
import { createEffect, createRoot, createSignal } from "solid-js";
import { flushSync, mount, unmount, type Component } from "svelte";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createApp, h, markRaw, nextTick, shallowRef } from "vue";
import { connect, type Room } from "../../client/index.ts";
import type { ClientRoom } from "../../client/client-room.ts";
import type { defineRoom } from "../../src/index.ts";
import { leave } from "../support/clients/close-room.ts";
import { ScriptedRoom, type ScriptedSocket } from "../support/rooms/scripted-room.ts";

// What docs/guide/frameworks.md shows is run here, from the page itself and against the libraries that it is for.
const { board } = (await import("virtual:guide/frameworks/board.ts")) as {
  board: ReturnType<typeof defineRoom>;
};
const { Shape } = await import("virtual:guide/frameworks/vue-shape.ts");
const SvelteShape = (
  (await import("virtual:guide/frameworks/Shape.svelte")) as { default: Component<object> }
).default;
type Recipe<A> = (room: unknown, selector: (state: any) => unknown) => A;
const { createRoomState } = (await import("virtual:guide/frameworks/solid-room.ts")) as {
  createRoomState: Recipe<() => unknown>;
};
const { roomSignal } = (await import("virtual:guide/frameworks/signals-room.ts")) as {
  roomSignal: Recipe<{ selection: ReadonlySignal<unknown>; stop: () => void }>;
};

interface Opened {
  readonly room: Room<any>;
  readonly socket: ScriptedSocket;
  /** Whether nobody is subscribed. */
  readonly isLeftAlone: () => boolean;
}

async function open(): Promise<Opened> {
  const server = new ScriptedRoom();
  const room = connect("http://room.test/rooms/lobby", board, { transport: server.transport }) as Room<any>;
  onTestFinished(() => leave(room));
  const socket = await server.attempt(1);
  const shapes = { s1: { x: 1, y: 1, color: "red" }, s2: { x: 2, y: 2, color: "blue" } };
  socket.greet({ records: { shapes } });
  await room.ready;
  return { room, socket, isLeftAlone: () => (room as unknown as ClientRoom).subscriptions.isEmpty };
}

const paint = ({ room }: Opened, id: string, color: string) => {
  room.transact((tx) => (tx as any)["shapes"].patch(id, { color }));
};

describe("the recipe for Vue", () => {
  test("shows a selection, follows its props, and ends with its component", async () => {
    const opened = await open();
    const { room, socket } = opened;
    const id = shallowRef("s1");
    const rendered = vi.fn<() => void>();
    const app = createApp({
      render: () => h(Shape, { room: markRaw(room), id: id.value, onVnodeUpdated: rendered }),
    });
    const container = document.createElement("main");
    app.mount(container);
    expect(container.textContent).toBe("red");
    paint(opened, "s1", "green");
    await nextTick();
    expect(container.textContent).toBe("green");
    id.value = "s2";
    await nextTick();
    expect(container.textContent).toBe("blue");
    rendered.mockClear();
    socket.delta(0, { shapes: [["patch", "s1", { color: "black" }]] });
    await nextTick();
    expect(rendered).not.toHaveBeenCalled();
    socket.delta(1, { shapes: [["patch", "s2", { color: "white" }]] });
    await nextTick();
    expect(container.textContent).toBe("white");
    app.unmount();
    expect(opened.isLeftAlone()).toBe(true);
  });
});

describe("the recipe for Svelte", () => {
  test("shows a selection, and ends with its component", async () => {
    const opened = await open();
    const target = document.createElement("main");
    const component = mount(SvelteShape, { target, props: { room: opened.room, id: "s1" } });
    flushSync();
    expect(target.textContent).toBe("red");
    paint(opened, "s1", "green");
    flushSync();
    expect(target.textContent).toBe("green");
    opened.socket.delta(0, { shapes: [["patch", "s1", { color: "white" }]] });
    flushSync();
    expect(target.textContent).toBe("green"); // the call that waits stands on top
    expect(opened.isLeftAlone()).toBe(false);
    await unmount(component);
    await vi.waitFor(() => expect(opened.isLeftAlone()).toBe(true));
  });
});

describe("the recipe for Solid", () => {
  test("answers a selection, follows its signals, and ends with its owner", async () => {
    const opened = await open();
    const seen: unknown[] = [];
    const [id, setId] = createSignal("s1");
    const end = createRoot((dispose) => {
      const color = createRoomState(opened.room, (s) => s.shapes.get(id())?.color);
      createEffect(() => seen.push(color()));
      return dispose;
    });
    paint(opened, "s1", "green");
    paint(opened, "s2", "black");
    setId("s2");
    paint(opened, "s1", "yellow");
    paint(opened, "s2", "white");
    expect(seen).toEqual(["red", "green", "black", "white"]);
    end();
    expect(opened.isLeftAlone()).toBe(true);
  });
});

describe("the recipe for signals", () => {
  test("answers a selection, follows its signals, and ends with stop", async () => {
    const opened = await open();
    const seen: unknown[] = [];
    const id = signal("s1");
    const { selection, stop } = roomSignal(opened.room, (s) => s.shapes.get(id.value)?.color);
    const end = effect(() => void seen.push(selection.value));
    paint(opened, "s1", "green");
    paint(opened, "s2", "black");
    id.value = "s2";
    paint(opened, "s1", "yellow");
    paint(opened, "s2", "white");
    expect(seen).toEqual(["red", "green", "black", "white"]);
    stop();
    expect(opened.isLeftAlone()).toBe(true);
    end();
  });
});
