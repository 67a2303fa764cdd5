import { part, svg, within } from "../elements.ts";
import { oncePerFrame, prefersReducedMotion } from "../motion.ts";
import type { BoardRoom, Traffic } from "../room.ts";

const maxBeads = 8;
const beadGap = 11;
const pulseMs = 420;
/** A drag sends sixty frames a second; so many pulses would be a solid line. */
const pulseIntervalMs = 90;

/**
 * Shows the connection as a circuit between this window and the room: the lever is the offline switch, and calls
 * that were not yet answered queue up before it as beads.
 */
export function showLine(room: BoardRoom, button: HTMLButtonElement): void {
  const status = part("status", HTMLElement);
  const pending = part("pending", HTMLElement);
  const beads = within(button, ".beads", SVGGElement);
  const more = within(button, ".beads-more", SVGTextElement);
  const label = within(button, ".switch-label", HTMLElement);
  let switchedOff = false;

  const showPending = (count: number) => {
    pending.textContent = String(count);
    pending.parentElement?.toggleAttribute("data-some", count > 0);
    const shown = Math.min(count, maxBeads);
    while (beads.childElementCount > shown) beads.lastElementChild?.remove();
    while (beads.childElementCount < shown) {
      beads.append(
        svg("circle", { class: "bead", cx: 106 - beads.childElementCount * beadGap, cy: 30, r: 4 }),
      );
    }
    more.textContent = count > maxBeads ? `${count} waiting` : "";
  };
  const showStatus = () => {
    status.textContent = room.status;
    status.dataset["status"] = room.status;
    button.dataset["status"] = room.status;
    button.setAttribute("aria-checked", String(switchedOff));
    button.setAttribute("aria-label", "work offline");
    label.textContent = switchedOff ? "come back" : "go offline";
  };

  button.addEventListener("click", () => {
    switchedOff = !switchedOff;
    if (switchedOff) room.disconnect();
    else room.reconnect();
    showStatus();
  });
  room.on("status", showStatus);
  room.on("pending", showPending);
  showStatus();
  showPending(room.pending);
}

/** Shows the newest revision; the returned function looks again, at most once a frame. */
export function createRevision(room: BoardRoom, output: HTMLElement): () => void {
  const show = oncePerFrame(() => {
    const revision = String(room.rev);
    if (output.textContent === revision) return;
    output.textContent = revision;
    output.toggleAttribute("data-long", revision.length > 5);
  });
  room.on("status", show);
  room.on("pending", show);
  room.observe("shapes", show);
  room.observe("claims", show);
  return show;
}

/** Sends a dot along the line for a frame, in the direction that the frame took. */
export function createPulses(button: HTMLButtonElement): (traffic: Traffic) => void {
  const layer = within(button, ".pulses", SVGGElement);
  const last = { up: 0, down: 0 };
  return ({ direction }) => {
    const now = performance.now();
    if (document.hidden || prefersReducedMotion() || now - last[direction] < pulseIntervalMs) return;
    last[direction] = now;
    const dot = svg("circle", { class: `pulse pulse-${direction}`, r: 3.5, cy: 30, cx: 0 });
    layer.append(dot);
    const ends = [{ transform: "translateX(24px)" }, { transform: "translateX(260px)" }];
    const run = dot.animate(direction === "up" ? ends : ends.toReversed(), {
      duration: pulseMs,
      easing: "linear",
    });
    run.addEventListener("finish", () => dot.remove());
    run.addEventListener("cancel", () => dot.remove());
  };
}
