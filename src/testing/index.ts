/** A room in memory for an app's own tests: see `createTestRoom`, and the [guide](docs/guide/testing.md). */
export { createTestRoom, type TestRoom } from "./test-room.ts";
export type { TestConnectOptions, TestRecords, TestRoomOptions } from "./test-room-options.ts";
export type { Outcome } from "../core/call.ts";
export type { TestCall } from "./call-log.ts";
export type { TestClock } from "./clock.ts";
export type { TestClient } from "./guest.ts";
export type { RecordDifference, TestPrediction } from "./mutator-check.ts";
export type { Direction, TestNetwork } from "./network.ts";
