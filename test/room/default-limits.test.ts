import { expect, test } from "vitest";
import { clientLimits } from "../../client/client-limits.ts";
import { defaultLimits, limitsWith } from "../../src/room/limits.ts";

test("the default limits fit into each other", () => {
  const limits = defaultLimits;
  const platformRowBytes = 2_000_000;
  expect(limits.maxRecordBytes).toBeLessThan(limits.maxPayloadBytes);
  expect(limits.maxPayloadBytes).toBeLessThan(limits.maxFrameBytes);
  expect(limits.maxOperationBytes).toBeLessThan(limits.maxRowBytes);
  expect(limits.maxRowBytes).toBeLessThan(platformRowBytes);
  expect(limits.maxRowBytes).toBeLessThan(limits.maxRingBytes);
  expect(limits.maxPresenceBytes).toBeLessThan(12 * 1024);
  // A client that keeps to the limits of calls and of signals meets no other.
  expect(limits.framesPerSecond).toBeGreaterThan(limits.callsPerSecond + limits.ephemeralPerSecond);
  expect(limits.framesBurst).toBeGreaterThan(limits.callsBurst + limits.ephemeralBurst);
  expect(limits.frameBytesBurst).toBeGreaterThanOrEqual(2 * clientLimits.maxPendingBytes);
  expect(limits.catchUpBytesBurst).toBeGreaterThanOrEqual(2 * limits.maxStateBytes);
  expect(limits.maxSessionsPerUser).toBeLessThan(limits.rejoinsBurst);
  expect(limits.maxSessions).toBeLessThanOrEqual(limits.joinsBurst / 2);
  expect(limits.maxUnacknowledgedBytes).toBeLessThan(limits.maxAllUnacknowledgedBytes);
  expect(Object.isFrozen(limits)).toBe(true);
});

test("frames follow calls that are set higher, unless they are set themselves", () => {
  expect(limitsWith()).toEqual(defaultLimits);
  const raised = limitsWith({ callsPerSecond: 1_000_000, callsBurst: 500_000 });
  expect(raised.framesPerSecond).toBeGreaterThan(1_000_000);
  expect(raised.framesBurst).toBeGreaterThan(500_000);
  expect(raised.frameBytesPerSecond).toBeGreaterThan(100 * 1_000_000);
  expect(limitsWith({ callsPerSecond: 1_000_000, framesPerSecond: 5 }).framesPerSecond).toBe(5);
});
