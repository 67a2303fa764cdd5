import type { Point, Shape } from "../board.ts";
import { html, setAttributes, svg } from "../elements.ts";
import { sizeOf } from "./geometry.ts";
import type { Pins } from "./pins.ts";
import type { BoardRoom } from "../room.ts";

const maxTextLength = 280;

/** The text of a note lives in a `foreignObject`, because SVG text does not wrap. */
export function createNoteText(): SVGForeignObjectElement {
  const frame = svg("foreignObject", { class: "note-frame" });
  frame.append(html("p", "note-text"));
  return frame;
}

export function layOutNote(frame: SVGForeignObjectElement, shape: Shape): void {
  const { width, height } = sizeOf(shape);
  setAttributes(frame, { x: -width / 2, y: -height / 2, width, height });
  const text = frame.firstElementChild;
  if (text && text.textContent !== (shape.text ?? "")) text.textContent = shape.text ?? "";
}

/** Lets one note at a time be written in; every keystroke is a direct edit of its `text`. */
export function createNoteEditor(room: BoardRoom, pins: Pins) {
  let close: (() => void) | undefined;

  return function edit(id: string): void {
    close?.();
    const note = room.state.shapes.get(id);
    if (note?.kind !== "note") return;
    const area = html("textarea", "note-editor");
    area.maxLength = maxTextLength;
    area.value = note.text ?? "";
    area.dataset["ink"] = note.color;
    area.setAttribute("aria-label", "text of the note");
    area.dataset["testid"] = "note-editor";

    const place = (shape: Shape) => pins.place(area, topLeft(shape), sizeOf(shape));
    const stop = room.observe("shapes", (changes) => {
      const change = changes.find((candidate) => candidate.id === id);
      if (!change) return;
      if (!change.after) return close?.();
      place(change.after);
      area.dataset["ink"] = change.after.color;
      // Only what others wrote differs from the field, and only then does its caret have to jump.
      if (area.value !== (change.after.text ?? "")) area.value = change.after.text ?? "";
    });
    close = () => {
      close = undefined;
      room.history.resume();
      stop();
      area.remove();
    };

    room.history.pause(); // what is written in one go is one step
    area.addEventListener("input", () => {
      if (room.state.shapes.has(id)) room.transact((tx) => tx.shapes.patch(id, { text: area.value }));
    });
    area.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") close?.();
    });
    area.addEventListener("blur", () => close?.());
    pins.add(area);
    place(note);
    area.focus({ preventScroll: true });
    area.select();
  };
}

function topLeft(shape: Shape): Point {
  const { width, height } = sizeOf(shape);
  return { x: shape.x - width / 2, y: shape.y - height / 2 };
}
