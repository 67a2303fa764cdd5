/** A room in memory for an app's own tests: see `createTestRoom`, and the [guide](docs/guide/testing.md). */
export { createTestRoom, type TestRoom } from "./test-room.ts";
export type { TestConnectOptions, TestRecords } from "./test-room-options.ts";
export type { TestRoomOptions } from "./test-room.ts";
export type { Outcome } from "../src/model/call.ts";
export type { TestCall } from "./call-log.ts";
export type { TestClock } from "./clock.ts";
export type { TestClient } from "./test-client.ts";
export type { RecordDifference, TestPrediction } from "./mutator-check.ts";
export type { Direction, TestNetwork } from "./network.ts";
// The test kit names types of the client and of the room. With these exports an app can export what `createTestRoom` returns.
export type {
  Access,
  Call,
  CallStatus,
  EventSender,
  Peer,
  Progress,
  RecordChange,
  RejectedError,
  RejectedOperation,
  Room,
  RoomError,
  RoomErrorCode,
  RoomEvents,
  RoomHistory,
  Self,
  Status,
  UndoOptions,
  Unsubscribe,
} from "../client/index.ts";
export type { Operation } from "../src/room/engine/batch.ts";
export type { Caller } from "../src/model/call.ts";
export type { Authorize, ProposedChange, ProposedOperation } from "../src/room/engine/authorization.ts";
export type { Fields } from "../src/model/json.ts";
export type { Limits } from "../src/room/limits.ts";
export type { EverydayLimits } from "../src/room/limits/everyday-limits.ts";
export type { InternalLimits } from "../src/room/limits/internal-limits.ts";
export type { ProtectiveLimits } from "../src/room/limits/protective-limits.ts";
export type { RemoteOptions, RemoteRoom } from "../src/durable-object/remote.ts";
export type { Client, RoomObjectOptions } from "../src/durable-object/room-options.ts";
