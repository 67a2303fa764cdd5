import { prefersReducedMotion } from "../motion.ts";
import type { Traffic } from "../room.ts";
import { labelOf } from "./wire-panel.ts";

/** The width of the strip, in time. */
const windowMs = 12_000;
/** A frame of this many bytes is drawn at full height; the scale is logarithmic. */
const fullHeightBytes = 5_000;
const barWidthPx = 2;

interface Bar {
  at: number;
  up: boolean;
  ink: string;
  /** 0 to 1. */
  height: number;
}

/** Draws the traffic as a seismograph does: what goes up above the line, what comes down below, older to the left. */
export function createWireTrace(canvas: HTMLCanvasElement): (traffic: Traffic) => void {
  let bars: Bar[] = [];
  let running = false;

  const draw = () => {
    const now = performance.now();
    bars = bars.filter((bar) => now - bar.at < windowMs);
    paint(canvas, bars, now);
    running = bars.length > 0 && !document.hidden;
    if (!running) return;
    if (prefersReducedMotion()) setTimeout(draw, 1_000);
    else requestAnimationFrame(draw);
  };
  const start = () => {
    if (running) return;
    running = true;
    requestAnimationFrame(draw);
  };

  new ResizeObserver(start).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", start);
  document.addEventListener("visibilitychange", start);
  return (traffic) => {
    if (document.hidden) return;
    const up = traffic.direction === "up";
    const ink = up ? "--up" : labelOf(traffic) === "snapshot" ? "--snapshot" : "--down";
    const height = Math.min(1, Math.log2(1 + traffic.bytes) / Math.log2(fullHeightBytes));
    bars.push({ at: performance.now(), up, ink, height });
    start();
  };
}

function paint(canvas: HTMLCanvasElement, bars: readonly Bar[], now: number): void {
  const pen = canvas.getContext("2d");
  const { width, height } = canvas.getBoundingClientRect();
  if (!pen || width === 0) return;
  const scale = devicePixelRatio;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const inks = getComputedStyle(canvas);
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const middle = Math.round(height / 2);
  pen.fillStyle = inks.getPropertyValue("--rule");
  pen.fillRect(0, middle - 0.5, width, 1);
  for (const bar of bars) {
    const x = width - ((now - bar.at) / windowMs) * width;
    const length = bar.height * (middle - 2);
    pen.fillStyle = inks.getPropertyValue(bar.ink);
    pen.fillRect(x - barWidthPx, bar.up ? middle - 1 - length : middle + 1, barWidthPx, length);
  }
}
