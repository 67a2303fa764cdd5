import { newNote, recordId, recordOf } from "../../load/records.ts";
import { CuttableSocket } from "../../load/socket.ts";
import { createNodeServer } from "../../servers/node-server.ts";
import type { Judge, Player, PlayerOptions, Position, System } from "../system.ts";

/** The SDK takes the runtime's own WebSocket, which cannot be told to leave compression off, or to count. */
Object.defineProperty(globalThis, "WebSocket", { value: CuttableSocket, configurable: true, writable: true });
const { Client, getStateCallbacks } = await import("@colyseus/sdk");

interface Notes {
  readonly notes: ReadonlyMap<string, Position>;
}
type SdkRoom = Awaited<ReturnType<typeof join>>;

async function join(url: string) {
  return await new Client(url).joinOrCreate<Notes>("notes");
}

/** A room of the SDK. It keeps no state over a lost connection: who comes back is sent all of it. */
class ColyseusJudge implements Judge {
  readonly #url: string;
  readonly ready: Promise<void>;
  #room: SdkRoom | undefined;

  constructor(url: string) {
    this.#url = url;
    this.ready = this.#open();
  }

  get size(): number {
    return this.#room?.state?.notes?.size ?? 0;
  }

  position(record: number): Position | undefined {
    return this.#room?.state?.notes?.get(recordId(record));
  }

  disconnect(): void {
    void this.#room?.leave();
    this.#room = undefined;
  }

  reconnect(): void {
    void this.#open();
  }

  close(): void {
    this.disconnect();
  }

  async #open(): Promise<void> {
    const room = await join(this.#url);
    const { promise, resolve } = Promise.withResolvers<void>();
    room.onStateChange.once(() => resolve());
    await promise;
    this.#room = room;
  }
}

/** Colyseus acknowledges nothing: a session that has to know takes its own patch for it. */
class ColyseusPlayer implements Player {
  acknowledged = 0;
  closed: string | undefined;
  readonly #room: SdkRoom;
  readonly #waiting: (readonly [record: number, x: number])[] = [];
  readonly #wantsAcknowledgements: boolean;

  private constructor(room: SdkRoom, { onMove, wantsAcknowledgements = false }: PlayerOptions) {
    this.#room = room;
    this.#wantsAcknowledgements = wantsAcknowledgements;
    room.onLeave((code) => (this.closed ??= String(code)));
    room.onDrop((code) => (this.closed ??= String(code)));
    if (onMove === undefined && !wantsAcknowledgements) {
      Object.assign(room.connection.events, { onmessage: () => {} }); // the socket counts
      return;
    }
    const callbacks = getStateCallbacks(room);
    callbacks?.(room.state).notes.onAdd((note: Position, id: string) => {
      const record = recordOf(id);
      callbacks(note).listen("x", (x: number) => {
        onMove?.(record, x);
        if (wantsAcknowledgements) this.#acknowledge(record, x);
      });
    });
  }

  static async open(url: string, options: PlayerOptions): Promise<ColyseusPlayer> {
    const room = await join(url);
    // The state follows in a message of its own. Read by the SDK, it would cost the load more than it costs the server.
    const isRead = options.neverWrites !== true || options.onMove !== undefined;
    if (!isRead) room.serializer.setState = () => {};
    const { promise, resolve } = Promise.withResolvers<void>();
    room.onStateChange.once(() => resolve());
    await promise;
    return new ColyseusPlayer(room, options);
  }

  get downBytes(): number {
    return (this.#room.connection.transport as unknown as { readonly ws: CuttableSocket }).ws.downBytes;
  }

  put(first: number, count: number): void {
    const records = Array.from({ length: count }, (_, index) => first + index);
    this.#room.send(
      "put",
      records.map((record) => [recordId(record), newNote(record)]),
    );
  }

  move(record: number, x: number, y: number): void {
    if (this.#wantsAcknowledgements) this.#waiting.push([record, x]);
    this.#room.send("move", { id: recordId(record), x, y });
  }

  close(): void {
    this.closed = "by itself";
    void this.#room.leave();
  }

  /** A patch holds the newest value of each record, so it answers for those before it too. */
  #acknowledge(record: number, x: number): void {
    const index = this.#waiting.findIndex(([waiting, value]) => waiting === record && value === x);
    if (index < 0) return;
    this.#waiting.splice(0, index + 1);
    this.acknowledged += index + 1;
  }
}

export const colyseus: System = {
  title: "Colyseus",
  runsOn: "node",
  storage: "memory",
  create: async ({ folder }) => await createNodeServer(new URL("server.ts", import.meta.url), folder),
  judge: (url) => new ColyseusJudge(url),
  player: async (url, options = {}) => await ColyseusPlayer.open(url, options),
};
