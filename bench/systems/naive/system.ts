import { createWorkerd } from "../../servers/workerd.ts";
import { newNote, recordId, recordOf } from "../../load/records.ts";
import { bytesOf, MeteredSocket } from "../../load/socket.ts";
import type { Judge, Player, PlayerOptions, Position, System } from "../system.ts";

type Note = Record<string, unknown> & Position;
type Message =
  | { readonly state: [id: string, note: Note][] }
  | { readonly put: [id: string, note: Note][] }
  | { readonly id: string; readonly x: number; readonly y: number };

class NaiveJudge implements Judge {
  readonly #url: string;
  readonly #notes = new Map<string, Note>();
  readonly #ready = Promise.withResolvers<void>();
  #socket: MeteredSocket | undefined;

  constructor(url: string) {
    this.#url = url;
    this.reconnect();
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get size(): number {
    return this.#notes.size;
  }

  position(record: number): Position | undefined {
    return this.#notes.get(recordId(record));
  }

  disconnect(): void {
    this.#socket?.terminate();
  }

  reconnect(): void {
    this.#socket = new MeteredSocket(this.#url);
    this.#socket.on("message", (data) => this.#take(JSON.parse(bytesOf(data).toString()) as Message));
  }

  close(): void {
    this.disconnect();
  }

  #take(message: Message): void {
    if ("id" in message) {
      const note = this.#notes.get(message.id);
      if (note !== undefined) this.#notes.set(message.id, { ...note, x: message.x, y: message.y });
      return;
    }
    for (const [id, note] of "state" in message ? message.state : message.put) this.#notes.set(id, note);
    if ("state" in message) this.#ready.resolve();
  }
}

/** Every message comes back to its sender, which is its acknowledgement: it was stored before. */
class NaivePlayer implements Player {
  acknowledged = 0;
  closed: string | undefined;
  readonly #socket: MeteredSocket;
  readonly #waiting: string[] = [];
  readonly #wantsAcknowledgements: boolean;

  constructor(url: string, { onMove, wantsAcknowledgements = false }: PlayerOptions) {
    const socket = new MeteredSocket(url);
    this.#socket = socket;
    this.#wantsAcknowledgements = wantsAcknowledgements;
    let hasState = false;
    socket.on("message", (data) => {
      if (!hasState) {
        hasState = true;
        return;
      }
      const [expected] = this.#waiting;
      const isLookedAt = onMove !== undefined || expected !== undefined;
      if (!isLookedAt) return;
      const text = bytesOf(data).toString();
      if (text === expected) {
        this.#waiting.shift();
        this.acknowledged += 1;
      }
      if (onMove === undefined) return;
      const message = JSON.parse(text) as Message;
      if ("id" in message) onMove(recordOf(message.id), message.x);
    });
    socket.on("close", (code) => (this.closed ??= String(code)));
  }

  static async open(url: string, options: PlayerOptions): Promise<NaivePlayer> {
    const player = new NaivePlayer(url, options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    player.#socket.once("message", () => resolve());
    player.#socket.once("close", () => reject(new Error("a session was closed at once")));
    await promise;
    return player;
  }

  get downBytes(): number {
    return this.#socket.downBytes;
  }

  put(first: number, count: number): void {
    const ids = Array.from({ length: count }, (_, index) => first + index);
    this.#send(JSON.stringify({ put: ids.map((record) => [recordId(record), newNote(record)]) }));
  }

  move(record: number, x: number, y: number): void {
    this.#send(JSON.stringify({ id: recordId(record), x, y }));
  }

  close(): void {
    this.closed = "by itself";
    this.#socket.terminate();
  }

  #send(text: string): void {
    if (this.#wantsAcknowledgements) this.#waiting.push(text);
    this.#socket.send(text);
  }
}

const room = (url: string): string => `${url.replace("http", "ws")}/`;

export const naive: System = {
  title: "naive Durable Object",
  runsOn: "durable object",
  storage: "durable",
  create: async (options) => await createWorkerd({ entry: new URL("worker.ts", import.meta.url) }, options),
  judge: (url) => new NaiveJudge(room(url)),
  player: async (url, options = {}) => await NaivePlayer.open(room(url), options),
};
