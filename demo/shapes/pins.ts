import { sheet, type Point } from "../board.ts";
import type { Size } from "./geometry.ts";

/** HTML that is pinned to the sheet: it moves with the sheet, but its type keeps its size. */
export interface Pins {
  add(element: HTMLElement): void;
  /** Puts the element's top left corner at `at`, and gives it `size`, both in sheet units. */
  place(element: HTMLElement, at: Point, size?: Size): void;
}

export function createPins(layer: HTMLElement): Pins {
  return {
    add: (element) => layer.append(element),
    place(element, at, size) {
      element.style.left = percent(at.x, sheet.width);
      element.style.top = percent(at.y, sheet.height);
      if (!size) return;
      element.style.width = percent(size.width, sheet.width);
      element.style.height = percent(size.height, sheet.height);
    },
  };
}

function percent(part: number, whole: number): string {
  return `${((part / whole) * 100).toFixed(3)}%`;
}
