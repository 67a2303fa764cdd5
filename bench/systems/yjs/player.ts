import * as Y from "yjs";
import { bytesOf, MeteredSocket } from "../../load/socket.ts";
import type { Player, PlayerOptions } from "../system.ts";
import { YNotes } from "./notes.ts";

/** What a provider's server says. */
export type Heard =
  /** The server lets this client in: it asks for the document now. */
  | { readonly kind: "welcome" }
  /** What this client was missing. */
  | { readonly kind: "document"; readonly update: Uint8Array }
  | { readonly kind: "update"; readonly update: Uint8Array }
  /** The oldest own update that was not acknowledged yet is. */
  | { readonly kind: "acknowledged" }
  | { readonly kind: "other" };

/** How a provider wraps the messages of Yjs. */
export interface Framing {
  /** An own update that comes back as everybody else's do is its acknowledgement: there is no other. */
  readonly acknowledgesByEcho: boolean;
  /** What is said first, if anything; the answer is a `welcome`. Without it the client asks at once. */
  greet?(): Uint8Array;
  ask(stateVector: Uint8Array): Uint8Array;
  encode(update: Uint8Array): Uint8Array;
  read(data: Uint8Array): Heard;
}

/** Which record each client of this process moves; an update of Yjs names its author, not the record. */
const recordOfAuthor = new Map<number, number>();

/**
 * A session that has taken the document in once, and from then on makes updates on its own copy; one that never writes
 * does without it. What others send is not applied: each record has one writer, so it is never in the way.
 */
export class YjsPlayer implements Player {
  acknowledged = 0;
  closed: string | undefined;
  readonly #socket: MeteredSocket;
  readonly #framing: Framing;
  readonly #options: PlayerOptions;
  readonly #notes = new YNotes();
  readonly #ready = Promise.withResolvers<void>();
  /** Where the document's own clock stood behind each operation that waits for its echo. */
  readonly #clocks: number[] = [];
  #hasDocument = false;

  private constructor(url: string, framing: Framing, options: PlayerOptions) {
    this.#framing = framing;
    this.#options = options;
    this.#socket = new MeteredSocket(url);
    const { doc } = this.#notes;
    const ask = (): void => this.#socket.send(framing.ask(Y.encodeStateVector(doc)));
    this.#socket.on("open", () => (framing.greet ? this.#socket.send(framing.greet()) : ask()));
    this.#socket.on("message", (data) => {
      if (this.#hasDocument && options.onMove === undefined && options.wantsAcknowledgements !== true) return;
      const heard = framing.read(bytesOf(data));
      if (heard.kind === "welcome") ask();
      else if (!this.#hasDocument) this.#begin(heard);
      else this.#hear(heard);
    });
    this.#socket.on("close", (code, reason) => {
      this.closed ??= `${code} ${reason.toString()}`;
      this.#ready.reject(new Error(`the room closed a session: ${this.closed}`));
    });
  }

  static async open(url: string, framing: Framing, options: PlayerOptions): Promise<YjsPlayer> {
    const player = new YjsPlayer(url, framing, options);
    await player.#ready.promise;
    return player;
  }

  get downBytes(): number {
    return this.#socket.downBytes;
  }

  put(first: number, count: number): void {
    this.#notes.put(first, count);
  }

  move(record: number, x: number, y: number): void {
    recordOfAuthor.set(this.#notes.doc.clientID, record);
    this.#notes.move(record, x, y);
  }

  close(): void {
    this.closed = "by itself";
    this.#socket.terminate();
  }

  #begin(heard: Heard): void {
    if (heard.kind !== "document") return;
    this.#hasDocument = true;
    if (this.#options.neverWrites === true) return this.#ready.resolve();
    Y.applyUpdate(this.#notes.doc, heard.update);
    this.#notes.doc.on("update", (update: Uint8Array) => {
      if (this.#options.wantsAcknowledgements === true)
        this.#clocks.push(Y.getState(this.#notes.doc.store, this.#notes.doc.clientID));
      if (this.#socket.readyState === MeteredSocket.OPEN) this.#socket.send(this.#framing.encode(update));
    });
    this.#ready.resolve();
  }

  #hear(heard: Heard): void {
    if (heard.kind === "acknowledged") this.acknowledged += 1;
    if (heard.kind !== "update") return;
    if (this.#framing.acknowledgesByEcho) this.#findOwn(heard.update);
    if (this.#options.onMove !== undefined) this.#report(heard.update);
  }

  /** A move is two items of its author, `x` and then `y`. */
  #report(update: Uint8Array): void {
    const values = new Map<number, unknown[]>();
    for (const struct of Y.decodeUpdate(update).structs) {
      if (!(struct instanceof Y.Item) || !(struct.content instanceof Y.ContentAny)) continue;
      const { client } = struct.id;
      const known = values.get(client);
      if (known === undefined) values.set(client, [...struct.content.arr]);
      else known.push(...struct.content.arr);
    }
    for (const [client, [x]] of values) {
      const record = recordOfAuthor.get(client);
      if (record !== undefined) this.#options.onMove?.(record, x as number);
    }
  }

  #findOwn(update: Uint8Array): void {
    for (const struct of Y.decodeUpdate(update).structs) {
      const { client, clock } = struct.id;
      if (client === this.#notes.doc.clientID) this.#acknowledge(clock + struct.length);
    }
  }

  #acknowledge(clock: number): void {
    while ((this.#clocks[0] ?? Infinity) <= clock) {
      this.#clocks.shift();
      this.acknowledged += 1;
    }
  }
}
