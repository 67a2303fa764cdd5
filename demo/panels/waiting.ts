import type { BoardRoom } from "../room.ts";

/** An answer that takes no longer is not worth a sign: a drag has calls under way all the time. */
const patienceMs = 400;

/** Sets `data-waiting` on the drawing while calls are pending and none is answered; the pending shapes then show it. */
export function showWaiting(room: BoardRoom, drawing: SVGSVGElement): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = 0;

  const stop = () => {
    clearTimeout(timer);
    timer = undefined;
    drawing.removeAttribute("data-waiting");
  };
  const watch = (count: number) => {
    if (count === 0 || count < last) stop();
    last = count;
    if (count > 0) timer ??= setTimeout(() => drawing.setAttribute("data-waiting", ""), patienceMs);
  };
  room.on("pending", watch);
  watch(room.pending);
}
