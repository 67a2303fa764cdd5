// What an app exports of the React binding.
import { createRoomContext } from "deltaroom/react";
import { board } from "./board.ts";
import { lists } from "./mini.ts";

export const context = createRoomContext(board);
export const {
  RoomProvider,
  useRoom,
  useRoomState,
  useMutate,
  useMyPresence,
  useOthers,
  useSelf,
  useStatus,
  usePending,
  useHistory,
  useEventListener,
} = createRoomContext(board);
export const { RoomProvider: ListProvider, useOthers: useListPeople } = createRoomContext(lists);

export const useShape = (id: string) => useRoomState((state) => state.shapes.get(id));
export const useNames = () => useOthers((people) => people.map(({ user }) => user?.name));

export function App({ name }: { name: string }) {
  return (
    <RoomProvider url={`/rooms/${name}`} initialPresence={{ cursor: null }} fallback={<p>…</p>}>
      <Status />
    </RoomProvider>
  );
}

function Status() {
  return <p>{useStatus()}</p>;
}
