import { inks, type Point } from "../board.ts";
import { html } from "../elements.ts";
import { prefersReducedMotion } from "../motion.ts";
import type { Pins } from "../shapes/pins.ts";

const pieces = 42;
/** A room full of people who found the button. */
const maxPieces = 600;
const figures = ["disc", "block", "wedge"] as const;

/** Throws a handful of small shapes from a point of the sheet; they fall, fade and are gone. */
export function throwConfetti(pins: Pins, at: Point): void {
  if (document.hidden || document.getElementsByClassName("confetti").length >= maxPieces) return;
  if (prefersReducedMotion()) {
    flash(pins, at);
    return;
  }
  for (let index = 0; index < pieces; index += 1) {
    const piece = html("i", `confetti confetti-${figures[index % figures.length]}`);
    piece.dataset["ink"] = inks[index % inks.length];
    pins.add(piece);
    pins.place(piece, at);
    const angle = -Math.PI / 2 + (Math.random() - 0.5) * 2.4;
    const force = 90 + Math.random() * 190;
    const dx = Math.cos(angle) * force;
    const rise = Math.sin(angle) * force;
    const turn = (Math.random() - 0.5) * 900;
    const flight = piece.animate(
      [
        {
          transform: "translate(-50%, -50%) scale(0.4)",
          opacity: 1,
          easing: "cubic-bezier(0.1, 0.7, 0.4, 1)",
        },
        {
          transform: `translate(${dx * 0.8}px, ${rise}px) rotate(${turn * 0.6}deg)`,
          opacity: 1,
          offset: 0.38,
          easing: "cubic-bezier(0.5, 0, 0.9, 0.5)",
        },
        { transform: `translate(${dx * 1.25}px, ${rise + 330}px) rotate(${turn}deg)`, opacity: 0 },
      ],
      { duration: 1_500 + Math.random() * 700, fill: "forwards" },
    );
    flight.addEventListener("finish", () => piece.remove());
  }
}

/** For those who asked for less motion: the burst stands still, and fades. */
function flash(pins: Pins, at: Point): void {
  const ring = html("i", "confetti confetti-still");
  pins.add(ring);
  pins.place(ring, at);
  const fade = ring.animate([{ opacity: 1 }, { opacity: 0 }], { duration: 900 });
  fade.addEventListener("finish", () => ring.remove());
}
