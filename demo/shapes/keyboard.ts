import { toggleClaim } from "../people/claims.ts";
import { sizeStep, type Edits } from "./edits.ts";
import type { BoardRoom } from "../room.ts";
import type { Selection } from "./selection.ts";
import { shapeIdAt } from "./shapes.ts";

const stepUnits = 10;
const bigStepUnits = 50;

interface KeyboardActions {
  openNote(id: string): void;
}

const directions: Record<string, readonly [dx: number, dy: number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** The focused shape is the selected one; keys then act on it, wherever focus is but in a text field. */
export function enableKeyboard(
  room: BoardRoom,
  selection: Selection,
  edits: Edits,
  actions: KeyboardActions,
): void {
  document.addEventListener("focusin", (event) => {
    const id = shapeIdAt(event.target);
    if (id !== undefined) selection.select(id);
  });

  document.addEventListener("keydown", (event) => {
    if (isTextField(event.target)) return; // which has an undo of its own
    if ((event.ctrlKey || event.metaKey) && !event.altKey) {
      const key = event.key.toLowerCase();
      if (key !== "z" && key !== "y") return;
      if (key === "y" || event.shiftKey) room.history.redo();
      else room.history.undo();
      return event.preventDefault();
    }
    if (event.altKey) return;
    const { id } = selection;
    if (id === null) return;
    const onShape = shapeIdAt(event.target) === id;
    const direction = directions[event.key];
    if (direction) {
      if (event.target instanceof Element && event.target.closest("[data-testid=wire-log]")) return;
      const step = event.shiftKey ? bigStepUnits : stepUnits;
      edits.move(id, direction[0] * step, direction[1] * step);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      edits.remove(id);
    } else if (event.key === "+" || event.key === "=") {
      edits.resize(id, sizeStep);
    } else if (event.key === "-") {
      edits.resize(id, 1 / sizeStep);
    } else if (event.key === "Escape") {
      selection.select(null);
    } else if (event.key === "Enter" && onShape) {
      actions.openNote(id);
    } else if (event.key === "l" && onShape) {
      toggleClaim(room, id);
    } else {
      return;
    }
    event.preventDefault();
  });
}

function isTextField(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}
