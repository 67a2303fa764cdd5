import { newNote, recordId, recordOf } from "../../load/records.ts";
import { bytesOf, MeteredSocket } from "../../load/socket.ts";
import type { Player, PlayerOptions } from "../system.ts";
import { getTlsyncProtocolVersion, type Diff, type Down, type RecordOperation, type Up } from "./protocol.ts";
import { createSchema } from "./schema.ts";

/** As the package's own client. */
const pingIntervalMs = 5_000;
const schema = createSchema().serialize();

export class TldrawPlayer implements Player {
  acknowledged = 0;
  closed: string | undefined;
  readonly #socket: MeteredSocket;
  readonly #options: PlayerOptions;
  readonly #pinging: NodeJS.Timeout;
  readonly #connected = Promise.withResolvers<void>();
  #made = 0;
  /** Made in this turn; of a record that was moved twice, the later move. */
  #diff: Diff | undefined;

  private constructor(url: string, options: PlayerOptions) {
    this.#options = options;
    this.#socket = new MeteredSocket(url);
    this.#pinging = setInterval(() => this.#send({ type: "ping" }), pingIntervalMs);
    this.#socket.on("open", () =>
      this.#send({
        type: "connect",
        connectRequestId: "bench",
        lastServerClock: -1,
        protocolVersion: getTlsyncProtocolVersion(),
        schema,
      }),
    );
    let isConnected = false;
    this.#socket.on("message", (data) => {
      if (!isConnected) {
        // What a large room begins with comes in pieces, the last of which is numbered 0.
        const text = bytesOf(data).toString("latin1", 0, 40);
        isConnected = text.startsWith('{"type":"connect"') || text.startsWith("0_");
        if (isConnected) this.#connected.resolve();
      } else if (options.onMove !== undefined || options.wantsAcknowledgements === true) {
        this.#hear(JSON.parse(bytesOf(data).toString()) as Down);
      }
    });
    this.#socket.on("close", (code, reason) => {
      clearInterval(this.#pinging);
      this.closed ??= `${code} ${reason.toString()}`;
      this.#connected.reject(new Error(`the room closed a session: ${this.closed}`));
    });
  }

  static async open(url: string, options: PlayerOptions): Promise<TldrawPlayer> {
    const player = new TldrawPlayer(url, options);
    await player.#connected.promise;
    return player;
  }

  get downBytes(): number {
    return this.#socket.downBytes;
  }

  put(first: number, count: number): void {
    const puts = Array.from({ length: count }, (_, index) => {
      const id = recordId(first + index);
      const put: RecordOperation = ["put", { id, typeName: "note", ...newNote(first + index) }];
      return [id, put] as const;
    });
    this.#push(Object.fromEntries(puts));
  }

  move(record: number, x: number, y: number): void {
    const diff: Diff = { [recordId(record)]: ["patch", { x: ["put", x], y: ["put", y] }] };
    if (this.#options.gathers !== true) return this.#push(diff);
    if (this.#diff === undefined) queueMicrotask(() => this.#pushGathered());
    this.#diff = Object.assign(this.#diff ?? {}, diff);
  }

  close(): void {
    this.closed = "by itself";
    this.#socket.terminate();
  }

  #push(diff: Diff): void {
    this.#made += 1;
    this.#send({ type: "push", clientClock: this.#made, diff });
  }

  #pushGathered(): void {
    if (this.#diff !== undefined) this.#push(this.#diff);
    this.#diff = undefined;
  }

  #send(message: Up): void {
    if (this.#socket.readyState === MeteredSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #hear(message: Down): void {
    if (message.type === "incompatibility_error") this.closed ??= message.reason;
    if (message.type !== "data") return;
    for (const event of message.data) {
      if (event.type === "push_result") {
        this.acknowledged = event.clientClock;
        if (event.action === "discard") this.closed ??= "an operation was discarded";
        continue;
      }
      for (const [id, operation] of Object.entries(event.diff)) {
        if (operation[0] !== "patch") continue;
        const x = operation[1]["x"]?.[1];
        if (typeof x === "number") this.#options.onMove?.(recordOf(id), x);
      }
    }
  }
}
