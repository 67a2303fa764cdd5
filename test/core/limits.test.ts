import { expect, test } from "vitest";
import { defaultLimits } from "../../src/core/limits.ts";

test("the default limits fit into each other", () => {
  const limits = defaultLimits;
  const platformRowBytes = 2_000_000;
  expect(limits.maxRecordBytes).toBeLessThan(limits.maxPayloadBytes);
  expect(limits.maxPayloadBytes).toBeLessThan(limits.maxFrameBytes);
  expect(limits.maxOperationBytes).toBeLessThan(limits.maxRowBytes);
  expect(limits.maxRowBytes).toBeLessThan(platformRowBytes);
  expect(limits.maxRowBytes).toBeLessThan(limits.maxRingBytes);
  expect(limits.maxPresenceBytes).toBeLessThan(12 * 1024);
  expect(Object.isFrozen(limits)).toBe(true);
});
