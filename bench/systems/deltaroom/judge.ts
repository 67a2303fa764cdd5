import { connect, type TransportSocket } from "../../../client/index.ts";
import { recordId } from "../../load/records.ts";
import { MeteredSocket } from "../../load/socket.ts";
import type { Judge, Position } from "../system.ts";
import { board } from "./board.ts";

function openRoom(url: string) {
  return connect(url, board, {
    transport: (address, protocols) => new MeteredSocket(address, protocols) as TransportSocket,
  });
}

/** A room of the product's own client. */
export class DeltaroomJudge implements Judge {
  readonly ready: Promise<void>;
  readonly #room: ReturnType<typeof openRoom>;

  constructor(url: string) {
    this.#room = openRoom(url);
    this.ready = this.#room.ready;
  }

  get size(): number {
    return this.#room.state.notes.size;
  }

  position(record: number): Position | undefined {
    return this.#room.state.notes.get(recordId(record));
  }

  disconnect(): void {
    this.#room.disconnect();
  }

  reconnect(): void {
    this.#room.reconnect();
  }

  close(): void {
    this.#room.close();
  }
}
