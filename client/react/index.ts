export { createRoomContext, type RoomContext } from "./context.tsx";
export type { RoomProviderProps } from "./provider.tsx";
