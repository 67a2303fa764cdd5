/** What an app's pages import: `connect`, and the types of the room that it opens. Runs in browsers, in Node 22 and later, and in Workers. */
export { connect, clearPersisted, newId, type ConnectOptions } from "./connect.ts";
export { roomUrl } from "./room-url.ts";
export { RejectedError, RoomError, type RejectedOperation, type RoomErrorCode } from "./errors.ts";
export type { ClientLimits } from "./client-limits.ts";
export type { Offline } from "./offline/persistence.ts";
export { orderBetween, ordersBetween } from "../src/model/order-between.ts";
export type { Access } from "../src/schema/access.ts";
export type { Status } from "./connection/connection-events.ts";
export type {
  Call,
  CallStatus,
  EventSender,
  Peer,
  RecordChange,
  Room,
  RoomHistory,
  RoomEvents,
  Self,
  UndoOptions,
  Unsubscribe,
} from "./room.ts";
export type { Undo } from "./undo/undo-history.ts";
export type { Progress, Traffic } from "./connection/sync-options.ts";
export type { Transport, TransportEvent, TransportSocket } from "./connection/transport.ts";
