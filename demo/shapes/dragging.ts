import type { Point } from "../board.ts";
import { claimByOther } from "../people/claims.ts";
import { clampToSheet, sheetPoint } from "./geometry.ts";
import { oncePerFrame } from "../motion.ts";
import type { BoardRoom } from "../room.ts";
import type { Selection } from "./selection.ts";
import { shapeIdAt } from "./shapes.ts";
import type { Toasts } from "../panels/toasts.ts";

/** Below this a press is a click: a trembling hand selects, it does not edit. */
const dragThresholdPx = 3;

interface Drag {
  id: string;
  pointerId: number;
  from: { clientX: number; clientY: number };
  /** From the pointer to the centre of the shape, in sheet units. */
  grip: Point;
  /** Where the shape should be next; null until the threshold is passed, and once that is written. */
  target: Point | null;
  moved: boolean;
}

/**
 * Drags shapes by pointer, with at most one edit a frame. The shape is looked up anew for each edit: meanwhile
 * others may have recoloured it (which stays), moved it (the pointer wins), claimed or deleted it (the drag ends).
 */
export function enableDragging(
  room: BoardRoom,
  surface: SVGSVGElement,
  selection: Selection,
  toasts: Toasts,
): void {
  let drag: Drag | undefined;

  const write = () => {
    if (!drag?.target) return;
    const { id, target } = drag;
    drag.target = null;
    const shape = room.state.shapes.get(id);
    if (!shape) return end("Somebody deleted the shape that you were dragging.");
    const claim = claimByOther(room, id);
    if (claim) return end(`${claim.name} claimed this shape.`);
    if (shape.x !== target.x || shape.y !== target.y) room.transact((tx) => tx.shapes.patch(id, target));
  };
  const writeInFrame = oncePerFrame(write);

  const end = (reason?: string) => {
    if (!drag) return;
    if (surface.hasPointerCapture(drag.pointerId)) surface.releasePointerCapture(drag.pointerId);
    drag = undefined;
    room.history.resume();
    surface.classList.remove("dragging");
    if (reason) toasts.show(reason);
  };

  surface.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    const id = shapeIdAt(event.target);
    selection.select(id ?? null);
    const shape = id === undefined ? undefined : room.state.shapes.get(id);
    if (id === undefined || !shape) return;
    const at = sheetPoint(surface, event);
    const grip = { x: shape.x - at.x, y: shape.y - at.y };
    drag = { id, pointerId: event.pointerId, from: event, grip, target: null, moved: false };
  });

  surface.addEventListener("pointermove", (event) => {
    if (!drag || event.pointerId !== drag.pointerId) return;
    const distance = Math.hypot(event.clientX - drag.from.clientX, event.clientY - drag.from.clientY);
    if (!drag.moved && distance < dragThresholdPx) return;
    if (!drag.moved) {
      drag.moved = true;
      room.history.pause(); // the whole drag is one step
      // Not earlier: a captured click would miss the shape.
      surface.setPointerCapture(drag.pointerId);
      surface.classList.add("dragging");
    }
    const at = sheetPoint(surface, event);
    drag.target = clampToSheet({ x: at.x + drag.grip.x, y: at.y + drag.grip.y });
    writeInFrame();
  });

  surface.addEventListener("pointerup", (event) => {
    if (event.pointerId !== drag?.pointerId) return;
    write();
    end();
  });
  surface.addEventListener("pointercancel", (event) => event.pointerId === drag?.pointerId && end());
  // Keeps the board from scrolling along. Chromium does not heed `touch-action` inside of an SVG.
  surface.addEventListener("touchmove", (event) => drag && event.preventDefault(), { passive: false });

  room.observe("shapes", (changes) => {
    if (drag && changes.some(({ id, after }) => id === drag?.id && !after)) {
      end("Somebody deleted the shape that you were dragging.");
    }
  });
}
