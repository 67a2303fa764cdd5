import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import * as syncProtocol from "y-protocols/sync";
import YProvider from "y-partyserver/provider";
import { CuttableSocket } from "../../load/socket.ts";
import { createWorkerd } from "../../servers/workerd.ts";
import type { Judge, Position, System } from "../system.ts";
import { YNotes } from "../yjs/notes.ts";
import { YjsPlayer, type Framing } from "../yjs/player.ts";

const sync = 0;

/** The messages of y-websocket. */
const framing: Framing = {
  acknowledgesByEcho: true,
  ask: (stateVector) =>
    frame((encoder) => {
      encoding.writeVarUint(encoder, syncProtocol.messageYjsSyncStep1);
      encoding.writeVarUint8Array(encoder, stateVector);
    }),
  encode: (update) => frame((encoder) => syncProtocol.writeUpdate(encoder, update)),
  read: (data) => {
    const decoder = decoding.createDecoder(data);
    if (decoding.readVarUint(decoder) !== sync) return { kind: "other" };
    const type = decoding.readVarUint(decoder);
    if (type === syncProtocol.messageYjsSyncStep1) return { kind: "other" };
    const update = decoding.readVarUint8Array(decoder);
    return { kind: type === syncProtocol.messageYjsUpdate ? "update" : "document", update };
  },
};

function frame(write: (encoder: encoding.Encoder) => void): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, sync);
  write(encoder);
  return encoding.toUint8Array(encoder);
}

class YPartyJudge implements Judge {
  readonly #notes = new YNotes();
  readonly #provider: YProvider;
  readonly ready: Promise<void>;

  constructor(url: string) {
    this.#provider = new YProvider(new URL(url).host, "bench", this.#notes.doc, {
      party: "rooms",
      protocol: "ws",
      disableBc: true,
      WebSocketPolyfill: CuttableSocket as unknown as typeof WebSocket,
    });
    this.ready = new Promise((resolve) => {
      this.#provider.on("synced", (isSynced: boolean) => isSynced && resolve());
    });
  }

  get size(): number {
    return this.#notes.size;
  }

  position(record: number): Position | undefined {
    return this.#notes.position(record);
  }

  disconnect(): void {
    this.#provider.disconnect();
  }

  reconnect(): void {
    void this.#provider.connect();
  }

  close(): void {
    this.#provider.destroy();
    this.#notes.doc.destroy();
  }
}

export const yPartyserver: System = {
  title: "y-partyserver",
  runsOn: "durable object",
  storage: "delayed",
  create: async (options) => await createWorkerd({ entry: new URL("worker.ts", import.meta.url) }, options),
  judge: (url) => new YPartyJudge(url),
  player: async (url, options = {}) =>
    await YjsPlayer.open(`${url.replace("http", "ws")}/parties/rooms/bench`, framing, options),
};
