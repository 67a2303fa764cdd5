import type { RawData } from "ws";
import { bytesOf, MeteredSocket } from "../../load/socket.ts";
import type { Player, PlayerOptions } from "../system.ts";
import {
  encodeAck,
  encodeMoves,
  encodePuts,
  greet,
  readHead,
  readMoves,
  readPlace,
  type Move,
  type Place,
} from "./wire.ts";

/** The one session that reads every update, so that the calls of all say truly which revision they are based upon. */
let timekeeper: DeltaroomPlayer | undefined;

/** A thin session: it reads the head of each update, acknowledges what it receives, and waits for no answer. */
export class DeltaroomPlayer implements Player {
  acknowledged = 0;
  closed: string | undefined;
  readonly #socket: MeteredSocket;
  readonly #onMove: PlayerOptions["onMove"];
  readonly #gathers: boolean;
  /** Made in this turn. */
  #moves: Move[] = [];
  #maxCallsPerFrame = 1;
  #made = 0;
  #owedBytes = 0;
  #owedFrames = 0;
  #maxOwedBytes = 0;
  #maxOwedFrames = 0;
  #isCaughtUp = Promise.withResolvers<void>();

  private constructor(url: string, place: Place | undefined, { onMove, gathers = false }: PlayerOptions) {
    this.#onMove = onMove;
    this.#gathers = gathers;
    this.#socket = new MeteredSocket(url, greet(place));
    this.#socket.on("message", (data, isBinary) => this.#hear(data, !isBinary));
    this.#socket.on("close", (code, reason) => {
      this.closed ??= `${code} ${reason.toString()}`;
      this.#isCaughtUp.reject(new Error(`the room closed a session: ${this.closed}`));
    });
  }

  static async open(url: string, options: PlayerOptions): Promise<DeltaroomPlayer> {
    const place = options.isCurrent === true ? await findPlace(url) : undefined;
    const player = new DeltaroomPlayer(url, place, options);
    timekeeper ??= player;
    await player.#isCaughtUp.promise;
    return player;
  }

  get downBytes(): number {
    return this.#socket.downBytes;
  }

  put(first: number, count: number): void {
    this.#made += 1;
    this.#socket.send(encodePuts(this.#made, this.acknowledged, first, count));
  }

  move(record: number, x: number, y: number): void {
    this.#moves.push([record, x, y]);
    if (!this.#gathers || this.#moves.length === this.#maxCallsPerFrame) this.#sendMoves();
    else if (this.#moves.length === 1) queueMicrotask(() => this.#sendMoves());
  }

  close(): void {
    this.closed = "by itself";
    this.#socket.terminate();
  }

  #sendMoves(): void {
    const moves = this.#moves;
    if (moves.length === 0) return;
    this.#moves = [];
    const isOwed = this.#owedFrames > this.#maxOwedFrames / 4 || this.#owedBytes > this.#maxOwedBytes / 4;
    const received = isOwed ? this.#takeOwed() : undefined;
    this.#socket.send(encodeMoves(this.#made + 1, this.acknowledged, moves, received));
    this.#made += moves.length;
  }

  #hear(raw: RawData, isText: boolean): void {
    const data = bytesOf(raw);
    const { welcome, isReply, lastCallId, refusal } = readHead(data, isText);
    if (welcome !== undefined) {
      this.#maxOwedBytes = welcome.limits.maxUnacknowledgedBytes / 4;
      this.#maxCallsPerFrame = welcome.limits.maxCallsPerFrame;
      this.#maxOwedFrames = welcome.limits.maxUnacknowledgedFrames / 4;
    }
    if (refusal !== undefined) this.closed ??= refusal;
    if (lastCallId !== undefined) this.acknowledged = lastCallId;
    if (isReply) this.#isCaughtUp.resolve();
    else if (!isText && (this.#onMove !== undefined || this === timekeeper))
      for (const [record, x] of readMoves(data)) this.#onMove?.(record, x);
    this.#owe(data.byteLength);
  }

  #owe(bytes: number): void {
    this.#owedBytes += bytes;
    this.#owedFrames += 1;
    if (this.#owedBytes < this.#maxOwedBytes && this.#owedFrames < this.#maxOwedFrames) return;
    const owed = this.#takeOwed();
    if (this.#socket.readyState === MeteredSocket.OPEN) this.#socket.send(encodeAck(owed));
  }

  #takeOwed(): number {
    const bytes = this.#owedBytes;
    this.#owedBytes = 0;
    this.#owedFrames = 0;
    return bytes;
  }
}

async function findPlace(url: string): Promise<Place> {
  const response = await fetch(url.replace("ws", "http"), { headers: { Connection: "close" } });
  await response.body?.cancel();
  return readPlace(response.headers.get("ETag") ?? "");
}
