/** A provider and hooks for React 18 and 19: see `createRoomContext`, and the [guide](docs/guide/react.md). */
export { createRoomContext, type RoomContext } from "./context.tsx";
export type { RoomProviderProps } from "./provider.tsx";
// The hooks name types of the client. With these exports an app can export what `createRoomContext` returns.
export type {
  Access,
  Call,
  CallStatus,
  ClientLimits,
  ConnectOptions,
  EventSender,
  Offline,
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
  Traffic,
  Transport,
  TransportEvent,
  TransportSocket,
  Undo,
  UndoOptions,
  Unsubscribe,
} from "../index.ts";
