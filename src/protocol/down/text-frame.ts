import { FormatError } from "../encoding/byte-form.ts";
import type { TextFrame } from "./down-frames.ts";

/** One frame of each kind with what it cannot be without. Of the values only the types count, of null not even that. */
const examples: readonly TextFrame[] = [
  {
    kind: "welcome",
    epoch: "",
    clientId: "",
    user: null,
    access: "read",
    knownSince: 0,
    acceptsBinary: true,
    limits: {
      callsPerSecond: 0,
      callsBurst: 0,
      maxCallsPerFrame: 0,
      maxFrameBytes: 0,
      maxUnacknowledgedBytes: 0,
      maxUnacknowledgedFrames: 0,
      ephemeralPerSecond: 0,
      ephemeralBurst: 0,
    },
  },
  { kind: "peers", peers: [] },
  { kind: "gap", expected: 0 },
  { kind: "error", code: "", message: "" },
];

/**
 * Reads a frame of the room that is text. Throws for what has not the form of one; what it says is taken at the room's
 * word. Schemas would say it in fewer lines, but what a client needs to run them is more than half of all its code.
 */
export function decodeText(text: string): TextFrame {
  const frame = JSON.parse(text) as TextFrame;
  const example = examples.find(({ kind }) => kind === frame.kind);
  if (example === undefined || !isAlike(frame, example)) throw new FormatError("it is no frame");
  return frame;
}

function isAlike(value: unknown, example: unknown): boolean {
  if (example === null) return true;
  if (typeof value !== typeof example) return false;
  return (
    typeof example !== "object" ||
    Object.entries(example).every(([name, member]) => {
      return isAlike((value as { readonly [name: string]: unknown })[name], member);
    })
  );
}
