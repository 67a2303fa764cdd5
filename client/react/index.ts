/** A provider and hooks for React 18 and 19: see `createRoomContext`, and the [guide](docs/guide/react.md). */
export { createRoomContext, type RoomContext } from "./context.tsx";
export type { RoomProviderProps } from "./provider.tsx";
