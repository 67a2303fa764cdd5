import type { Ink } from "../board.ts";
import { html, svg } from "../elements.ts";
import { outlineOf, sizeOf } from "./geometry.ts";
import { oncePerFrame } from "../motion.ts";
import type { Pins } from "./pins.ts";
import type { BoardRoom } from "../room.ts";
import type { Selection } from "./selection.ts";

/** Draws over the shapes what people do with them: who has selected one, who has claimed one. */
export function showMarks(room: BoardRoom, selection: Selection, outlines: SVGGElement, pins: Pins): void {
  let tags: HTMLElement[] = [];

  const outline = (id: string, kind: "own" | "other" | "claim", color: Ink, grow: number) => {
    const shape = room.state.shapes.get(id);
    if (!shape) return;
    outlines.append(
      svg("path", {
        class: `outline outline-${kind}`,
        "data-outline-of": id,
        "data-ink": color,
        d: outlineOf(shape, grow),
        transform: `translate(${shape.x} ${shape.y})`,
      }),
    );
  };

  const tag = (id: string, text: string, color: Ink) => {
    const shape = room.state.shapes.get(id);
    if (!shape) return;
    const element = html("span", "tag", text);
    element.dataset["ink"] = color;
    element.dataset["claimOf"] = id;
    pins.add(element);
    pins.place(element, { x: shape.x, y: shape.y + sizeOf(shape).height / 2 });
    tags.push(element);
  };

  const redraw = oncePerFrame(() => {
    outlines.replaceChildren();
    for (const element of tags) element.remove();
    tags = [];
    for (const [id, claim] of room.state.claims.entries()) {
      const mine = claim.clientId === room.self.clientId;
      outline(id, "claim", claim.color, 5);
      tag(id, mine ? "yours" : claim.name, claim.color);
    }
    for (const { presence } of room.others) {
      if (presence.holding !== null) outline(presence.holding, "other", presence.color, 11);
    }
    if (selection.id !== null) outline(selection.id, "own", room.self.presence.color, 11);
  });

  room.observe("shapes", redraw);
  room.observe("claims", redraw);
  room.onOthers(redraw);
  room.on("status", redraw);
  selection.onChange(redraw);
  redraw();
}
