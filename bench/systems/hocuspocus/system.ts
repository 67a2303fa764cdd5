import { HocuspocusProvider, HocuspocusProviderWebsocket } from "@hocuspocus/provider";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import * as syncProtocol from "y-protocols/sync";
import { CuttableSocket } from "../../load/socket.ts";
import { createNodeServer } from "../../servers/node-server.ts";
import type { Judge, Position, System } from "../system.ts";
import { YNotes } from "../yjs/notes.ts";
import { YjsPlayer, type Framing } from "../yjs/player.ts";

const room = "bench";
/** The kinds of message of Hocuspocus 4 that a player meets. */
const kinds = { sync: 0, authentication: 2, syncReply: 4, syncStatus: 8 } as const;

const framing: Framing = {
  acknowledgesByEcho: false,
  greet: () =>
    frame(kinds.authentication, (encoder) => {
      encoding.writeVarUint(encoder, 0); // a token follows
      encoding.writeVarString(encoder, "");
      encoding.writeVarString(encoder, "4.7.0");
    }),
  ask: (stateVector) =>
    frame(kinds.sync, (encoder) => {
      encoding.writeVarUint(encoder, syncProtocol.messageYjsSyncStep1);
      encoding.writeVarUint8Array(encoder, stateVector);
    }),
  encode: (update) => frame(kinds.sync, (encoder) => syncProtocol.writeUpdate(encoder, update)),
  read: (data) => {
    const decoder = decoding.createDecoder(data);
    decoding.readVarString(decoder); // the document's name
    const kind = decoding.readVarUint(decoder);
    if (kind === kinds.authentication) return { kind: "welcome" };
    if (kind === kinds.syncStatus) return { kind: "acknowledged" };
    if (kind !== kinds.sync && kind !== kinds.syncReply) return { kind: "other" };
    const type = decoding.readVarUint(decoder);
    if (type === syncProtocol.messageYjsSyncStep1) return { kind: "other" };
    const update = decoding.readVarUint8Array(decoder);
    return { kind: type === syncProtocol.messageYjsUpdate ? "update" : "document", update };
  },
};

function frame(kind: number, write: (encoder: encoding.Encoder) => void): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarString(encoder, room);
  encoding.writeVarUint(encoder, kind);
  write(encoder);
  return encoding.toUint8Array(encoder);
}

class HocuspocusJudge implements Judge {
  readonly #notes = new YNotes();
  readonly #socket: HocuspocusProviderWebsocket;
  readonly #provider: HocuspocusProvider;
  readonly ready: Promise<void>;

  constructor(url: string) {
    this.#socket = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: CuttableSocket });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#provider = new HocuspocusProvider({
      websocketProvider: this.#socket,
      name: room,
      document: this.#notes.doc,
      onSynced: () => resolve(),
    });
    this.#provider.attach();
  }

  get size(): number {
    return this.#notes.size;
  }

  position(record: number): Position | undefined {
    return this.#notes.position(record);
  }

  disconnect(): void {
    this.#socket.disconnect();
  }

  reconnect(): void {
    void this.#socket.connect();
  }

  close(): void {
    this.#provider.destroy();
    this.#socket.destroy();
  }
}

export const hocuspocus: System = {
  title: "Hocuspocus",
  runsOn: "node",
  storage: "delayed",
  create: async ({ folder }) => await createNodeServer(new URL("server.ts", import.meta.url), folder),
  judge: (url) => new HocuspocusJudge(url.replace("http", "ws")),
  player: async (url, options = {}) => await YjsPlayer.open(url.replace("http", "ws"), framing, options),
};
