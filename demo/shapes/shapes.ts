import type { Shape } from "../board.ts";
import { setAttributes, svg } from "../elements.ts";
import { outlineOf } from "./geometry.ts";
import { oncePerFrame } from "../motion.ts";
import type { BoardRoom } from "../room.ts";
import type { Selection } from "./selection.ts";
import { createNoteText, layOutNote } from "./note-text.ts";

interface Layers {
  /** Overprinted: where two shapes overlap, their inks mix, so the order in the document does not show. */
  inks: SVGGElement;
  notes: SVGGElement;
}

/** Draws `room.state.shapes`, one `<g data-shape-id>` a record, and keeps it drawn. */
export function showShapes(room: BoardRoom, selection: Selection, layers: Layers): void {
  const nodes = new Map<string, SVGGElement>();

  const draw = (id: string, shape: Shape) => {
    if (nodes.has(id) && nodes.get(id)?.getAttribute("data-kind") !== shape.kind) remove(id);
    const node = nodes.get(id) ?? insert(id, shape);
    setAttributes(node, {
      transform: `translate(${shape.x} ${shape.y})`,
      "data-x": shape.x,
      "data-y": shape.y,
      "data-kind": shape.kind,
      "data-color": shape.color,
      "data-ink": shape.color,
      "aria-label": `${shape.color} ${shape.kind}${shape.text ? `: ${shape.text}` : ""}, at ${shape.x}, ${shape.y}`,
    });
    const outline = outlineOf(shape);
    for (const path of node.querySelectorAll("path")) path.setAttribute("d", outline);
    const text = node.querySelector("foreignObject");
    if (text) layOutNote(text, shape);
  };

  const insert = (id: string, shape: Shape) => {
    const node = svg("g", {
      class: "shape",
      "data-shape-id": id,
      tabindex: 0,
      role: "button",
      "aria-pressed": "false",
    });
    node.append(svg("path", { class: "print" }), svg("path", { class: "halftone" }));
    if (shape.kind === "note") node.append(createNoteText());
    const layer = shape.kind === "note" ? layers.notes : layers.inks;
    // In order of id, so that every window stacks notes alike.
    let next: Element | null = null;
    for (let last = layer.lastElementChild; last; last = last.previousElementSibling) {
      if ((last.getAttribute("data-shape-id") ?? "") < id) break;
      next = last;
    }
    layer.insertBefore(node, next);
    nodes.set(id, node);
    return node;
  };

  const remove = (id: string) => {
    const node = nodes.get(id);
    if (!node) return;
    nodes.delete(id);
    const hadFocus = node === document.activeElement;
    node.remove();
    // Focus would fall back to the top of the page.
    if (hadFocus) layers.inks.closest<HTMLElement>(".sheet")?.focus({ preventScroll: true });
  };

  const markPending = oncePerFrame(() => {
    for (const [id, node] of nodes) {
      node.toggleAttribute("data-pending", room.isPending("shapes", id) || room.isPending("claims", id));
    }
  });

  room.observe("shapes", (changes) => {
    for (const { id, after } of changes) {
      if (after) draw(id, after);
      else remove(id);
    }
    markPending();
  });
  room.on("pending", markPending);
  selection.onChange((selected) => {
    for (const [id, node] of nodes) node.setAttribute("aria-pressed", String(id === selected));
  });
  for (const [id, shape] of room.state.shapes.entries()) draw(id, shape);
  markPending();
}

/** The id of the shape that an event met, if it met one. */
export function shapeIdAt(target: EventTarget | null): string | undefined {
  const node = target instanceof Element ? target.closest("[data-shape-id]") : null;
  return node?.getAttribute("data-shape-id") ?? undefined;
}
