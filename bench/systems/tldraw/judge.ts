import { atom } from "@tldraw/state";
import { Store } from "@tldraw/store";
import {
  JsonChunkAssembler,
  TLSyncClient,
  type TLPersistentClientSocket,
  type TLSocketStatusChangeEvent,
} from "@tldraw/sync-core";
import { recordId } from "../../load/records.ts";
import { bytesOf, MeteredSocket } from "../../load/socket.ts";
import type { Judge, Position } from "../system.ts";
import { createSchema, type NoteRecord } from "./schema.ts";

// The package's own scheduler draws breath with the display.
globalThis.requestAnimationFrame ??= (callback) => Number(setTimeout(() => callback(performance.now()), 16));
globalThis.cancelAnimationFrame ??= (handle) => clearTimeout(handle);

/** The package's own socket reconnects by the window's events; this one when it is told to. */
class ClientSocket implements TLPersistentClientSocket {
  connectionStatus: "online" | "offline" | "error" = "offline";
  readonly #url: string;
  readonly #onMessage = new Set<(message: object) => void>();
  readonly #onStatus = new Set<(event: TLSocketStatusChangeEvent) => void>();
  #socket: MeteredSocket | undefined;

  constructor(url: string) {
    this.#url = url;
    this.open();
  }

  readonly onReceiveMessage = (listener: (message: object) => void) => {
    this.#onMessage.add(listener);
    return () => this.#onMessage.delete(listener);
  };

  readonly onStatusChange = (listener: (event: TLSocketStatusChangeEvent) => void) => {
    this.#onStatus.add(listener);
    return () => this.#onStatus.delete(listener);
  };

  open(): void {
    const socket = new MeteredSocket(this.#url);
    const assembler = new JsonChunkAssembler();
    this.#socket = socket;
    socket.on("open", () => this.#become("online"));
    socket.on("message", (data) => {
      const result = assembler.handleMessage(bytesOf(data).toString());
      if (result === null) return;
      if ("error" in result) throw result.error;
      for (const listener of this.#onMessage) listener(result.data);
    });
  }

  sendMessage(message: object): void {
    if (this.#socket?.readyState === MeteredSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  restart(): void {
    this.close();
    this.open();
  }

  close(): void {
    this.#socket?.terminate();
    this.#become("offline");
  }

  #become(status: "online" | "offline"): void {
    if (this.connectionStatus === status) return;
    this.connectionStatus = status;
    for (const listener of this.#onStatus) listener({ status });
  }
}

/** A store of tldraw, kept in sync by the package's own client. */
export class TldrawJudge implements Judge {
  readonly #store = new Store<NoteRecord>({ schema: createSchema(), props: {} });
  readonly #ready = Promise.withResolvers<void>();
  readonly #socket: ClientSocket;
  readonly #client: TLSyncClient<NoteRecord, Store<NoteRecord>>;

  constructor(url: string) {
    this.#socket = new ClientSocket(url);
    this.#client = new TLSyncClient<NoteRecord, Store<NoteRecord>>({
      store: this.#store,
      socket: this.#socket,
      presence: atom("presence", null),
      onLoad: () => this.#ready.resolve(),
      onSyncError: (reason) => this.#ready.reject(new Error(reason)),
    });
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get size(): number {
    return this.#store.allRecords().length;
  }

  position(record: number): Position | undefined {
    return this.#store.get(recordId(record) as NoteRecord["id"]);
  }

  disconnect(): void {
    this.#socket.close();
  }

  reconnect(): void {
    this.#socket.open();
  }

  close(): void {
    this.#client.close();
    this.#socket.close();
  }
}
