import type { Welcome } from "../../../src/protocol/down/down-frames.ts";

/** What a welcome may say of a room's limits. */
export const welcomeLimits: Welcome["limits"] = {
  callsPerSecond: 200,
  callsBurst: 1_000,
  maxCallsPerFrame: 256,
  maxFrameBytes: 1_048_576,
  maxUnacknowledgedBytes: 1_048_576,
  maxUnacknowledgedFrames: 64,
  ephemeralPerSecond: 120,
  ephemeralBurst: 240,
};
