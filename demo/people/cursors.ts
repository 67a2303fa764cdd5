import type { Point } from "../board.ts";
import { html, svg, within } from "../elements.ts";
import { sheetPoint } from "../shapes/geometry.ts";
import type { Pins } from "../shapes/pins.ts";
import type { BoardRoom } from "../room.ts";

/** Cursors are drawn with a transition of this length, so more frequent news would not be seen. */
const cursorIntervalMs = 45;

/** Draws everybody else's pointer, one `[data-client-id]` each. */
export function showCursors(room: BoardRoom, pins: Pins): void {
  const nodes = new Map<string, HTMLElement>();
  const redraw = (others: BoardRoom["others"]) => {
    const gone = new Set(nodes.keys());
    for (const { clientId, presence } of others) {
      if (presence.cursor === null) continue;
      gone.delete(clientId);
      let node = nodes.get(clientId);
      if (!node) {
        node = createCursor(clientId);
        nodes.set(clientId, node);
        pins.add(node);
      }
      node.dataset["ink"] = presence.color;
      within(node, ".cursor-name", HTMLElement).textContent = presence.name;
      pins.place(node, presence.cursor);
    }
    for (const clientId of gone) {
      nodes.get(clientId)?.remove();
      nodes.delete(clientId);
    }
  };
  room.onOthers(redraw);
  redraw(room.others);
}

function createCursor(clientId: string): HTMLElement {
  const node = html("div", "cursor");
  node.dataset["clientId"] = clientId;
  const arrow = svg("svg", { viewBox: "0 0 20 22", "aria-hidden": "true" });
  arrow.append(svg("path", { d: "M2 1.5 17.5 10 10.4 11.9 6.8 19Z" }));
  node.append(arrow, html("span", "cursor-name"));
  return node;
}

/** Tells the others where this pointer is: the newest place at most once an interval, and null once it is gone. */
export function sendCursor(room: BoardRoom, board: HTMLElement): void {
  let latest: Point | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const send = () => {
    timer = undefined;
    room.presence.update({ cursor: latest });
  };
  const show = (event: PointerEvent) => {
    const { x, y } = sheetPoint(board, event);
    latest = { x: Math.round(x), y: Math.round(y) };
    timer ??= setTimeout(send, cursorIntervalMs);
  };
  const hide = () => {
    latest = null;
    clearTimeout(timer);
    if (room.self.presence.cursor !== null) send();
    timer = undefined;
  };
  board.addEventListener("pointermove", show);
  board.addEventListener("pointerleave", hide);
  board.addEventListener("pointerup", (event) => event.pointerType === "touch" && hide());
  board.addEventListener("pointercancel", hide);
  document.addEventListener("visibilitychange", () => document.hidden && hide());
}
