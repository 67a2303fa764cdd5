import { createRoomContext } from "deltaroom/react";
import { list } from "./list";

export const {
  RoomProvider,
  useMutate,
  useOthers,
  usePending,
  useMyPresence,
  useRoom,
  useRoomState,
  useSelf,
  useStatus,
} = createRoomContext(list);
