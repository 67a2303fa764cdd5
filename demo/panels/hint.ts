import { part } from "../elements.ts";
import type { BoardRoom } from "../room.ts";

/** Says what to do with an empty board. */
export function showHint(room: BoardRoom): void {
  const hint = part("hint", HTMLElement);
  const isTouched = matchMedia("(hover: none)").matches;
  sayInHint(`Nothing here yet. Double-${isTouched ? "tap" : "click"} anywhere, or take a shape from below.`);
  const refresh = () => {
    hint.hidden = room.state.shapes.size > 0;
  };
  room.subscribe((state) => state.shapes.size, refresh);
  refresh();
}

export function sayInHint(text: string): void {
  part("hint-text", HTMLElement).textContent = text;
}
