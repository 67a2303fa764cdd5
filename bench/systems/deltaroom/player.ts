import type { RawData } from "ws";
import { bytesOf, MeteredSocket } from "../../load/socket.ts";
import type { Player, PlayerOptions } from "../system.ts";
import {
  encodeAck,
  encodeMove,
  encodePuts,
  greet,
  readHead,
  readMoves,
  readPlace,
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
  #made = 0;
  #owedBytes = 0;
  #owedFrames = 0;
  #maxOwedBytes = 0;
  #maxOwedFrames = 0;
  #isCaughtUp = Promise.withResolvers<void>();

  private constructor(url: string, place: Place | undefined, onMove: PlayerOptions["onMove"]) {
    this.#onMove = onMove;
    this.#socket = new MeteredSocket(url, greet(place));
    this.#socket.on("message", (data, isBinary) => this.#hear(data, !isBinary));
    this.#socket.on("close", (code, reason) => {
      this.closed ??= `${code} ${reason.toString()}`;
      this.#isCaughtUp.reject(new Error(`the room closed a session: ${this.closed}`));
    });
  }

  static async open(url: string, { onMove, isCurrent }: PlayerOptions): Promise<DeltaroomPlayer> {
    const place = isCurrent === true ? await findPlace(url) : undefined;
    const player = new DeltaroomPlayer(url, place, onMove);
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
    this.#made += 1;
    const isOwed = this.#owedFrames > this.#maxOwedFrames / 4 || this.#owedBytes > this.#maxOwedBytes / 4;
    const received = isOwed ? this.#takeOwed() : undefined;
    this.#socket.send(encodeMove(this.#made, this.acknowledged, record, x, y, received));
  }

  close(): void {
    this.closed = "by itself";
    this.#socket.terminate();
  }

  #hear(raw: RawData, isText: boolean): void {
    const data = bytesOf(raw);
    const { welcome, isReply, mark, refusal } = readHead(data, isText);
    if (welcome !== undefined) {
      this.#maxOwedBytes = welcome.limits.maxUnacknowledgedBytes / 4;
      this.#maxOwedFrames = welcome.limits.maxUnacknowledgedFrames / 4;
    }
    if (refusal !== undefined) this.closed ??= refusal;
    if (mark !== undefined) this.acknowledged = mark;
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
