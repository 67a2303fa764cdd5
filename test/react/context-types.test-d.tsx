import type { RejectedError, Room } from "../../client/index.ts";
import { createRoomContext } from "../../client/react/index.ts";
import { defineRoom } from "../../src/index.ts";
import { clientBoard, type ClientBoard } from "../support/boards/client-board.ts";

// What the hooks answer and refuse is inferred from the definition alone. Checked by tsc; never run.

const {
  RoomProvider,
  useEventListener,
  useMutate,
  useOthers,
  usePending,
  useMyPresence,
  useRoom,
  useRoomState,
  useSelf,
} = createRoomContext(clientBoard);

export function Everything(room: Room<ClientBoard>) {
  const x: number | undefined = useRoomState((s) => s.shapes.get("s1")?.x);
  // @ts-expect-error a field that is not in the schema
  useRoomState((s) => s.shapes.get("s1")?.z);
  // @ts-expect-error the state is read, never written
  useRoomState((s) => s.shapes.put("s1", { x: 1, y: 1 }));

  const { addUp } = useMutate();
  const { committed } = addUp({ id: "c1", by: 1 });
  void committed.catch((error: RejectedError) => error.code);
  // @ts-expect-error the payload lacks its number
  addUp({ id: "c1" });
  // @ts-expect-error counters are not direct
  useRoom().transact((tx) => tx.counters.put("c1", { value: 1 }));

  const [presence, update] = useMyPresence();
  update({ x: presence.x + 1 });
  // @ts-expect-error no such field
  update({ z: 1 });

  const name: string | undefined = useOthers()[0]?.user?.name;
  const xs: number[] = useOthers((others) => others.map((other) => other.presence.x));
  const self: string | undefined = useSelf().user?.name;
  const note: string | undefined = useSelf((me) => me.presence.note);

  const count: number = usePending();
  const isPending: boolean = usePending("shapes", "s1");
  // @ts-expect-error no such collection
  usePending("whatever", "s1");
  // @ts-expect-error of which record?
  usePending("shapes");

  useEventListener("wave", ({ text }, from) => [text.length, from?.user?.name]);
  // @ts-expect-error no such event
  useEventListener("whatever", () => {});

  return (
    <>
      <RoomProvider url="/rooms/lobby" initialPresence={{ x: 1, y: 1 }} token={() => "token"} fallback="…" />
      <RoomProvider room={room} suspense />
      {/* @ts-expect-error neither a URL nor a room */}
      <RoomProvider fallback="…" />
      {/* @ts-expect-error both */}
      <RoomProvider url="/rooms/lobby" room={room} />
      {/* @ts-expect-error a presence has two coordinates */}
      <RoomProvider url="/rooms/lobby" initialPresence={{ x: 1 }} />
      {[x, name, xs, self, note, count, isPending].join()}
    </>
  );
}

const bare = createRoomContext(defineRoom({ version: 1, collections: {} }));

export function Bare() {
  // @ts-expect-error this room has no presence
  return <bare.RoomProvider url="/rooms/lobby" initialPresence={{ x: 1 }} />;
}
