import { newId } from "../../client/index.ts";
import { defaultSize, type Ink, type Kind, type Point } from "../board.ts";
import { claimByOther } from "../people/claims.ts";
import { clampToSheet } from "./geometry.ts";
import type { BoardRoom } from "../room.ts";
import type { Toasts } from "../panels/toasts.ts";

/** What the buttons and the keys do to shapes. Those that another person claimed are left alone, and a toast says so. */
export interface Edits {
  /** Returns the new shape's id. */
  add(kind: Kind, color: Ink, at: Point): string;
  move(id: string, dx: number, dy: number): void;
  recolor(id: string, color: Ink): void;
  resize(id: string, factor: number): void;
  remove(id: string): void;
}

/** In sheet units. A new shape is one of three sizes, so that a board of clicks is no tile floor. */
const sizes = { smallest: 50, largest: 420, note: 210, of: [104, defaultSize, 172] } as const;

/** One press of "bigger", as a factor. */
export const sizeStep = 1.2;

export function createEdits(room: BoardRoom, toasts: Toasts): Edits {
  /** The shape, if it is there and free to be edited. */
  const editable = (id: string) => {
    const claim = claimByOther(room, id);
    if (claim) toasts.show(`${claim.name} claimed this shape.`);
    return claim ? undefined : room.state.shapes.get(id);
  };

  return {
    add(kind, color, at) {
      const id = newId();
      const size = kind === "note" ? sizes.note : sizes.of[Math.floor(Math.random() * sizes.of.length)];
      room.transact((tx) => tx.shapes.put(id, { kind, color, size, ...clampToSheet(at) }));
      return id;
    },
    move(id, dx, dy) {
      const shape = editable(id);
      if (shape)
        room.transact((tx) => tx.shapes.patch(id, clampToSheet({ x: shape.x + dx, y: shape.y + dy })));
    },
    recolor(id, color) {
      const shape = editable(id);
      if (shape && shape.color !== color) room.transact((tx) => tx.shapes.patch(id, { color }));
    },
    resize(id, factor) {
      const shape = editable(id);
      if (!shape) return;
      const wanted = Math.round((shape.size ?? defaultSize) * factor);
      const size = Math.min(sizes.largest, Math.max(sizes.smallest, wanted));
      if (size !== shape.size) room.transact((tx) => tx.shapes.patch(id, { size }));
    },
    // A mutator and not a direct edit: the claim goes with the shape, and another's claim refuses it.
    remove: (id) => void room.mutate.remove({ id }),
  };
}
