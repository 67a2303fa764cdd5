import type { Limits } from "../../src/room/limits.ts";
import type { Code } from "../../src/protocol/codes.ts";

/** Where an attack comes in. */
export type Channel =
  /** A request without an upgrade. */
  | "HTTP"
  /** A request to become a WebSocket, with the hello. */
  | "handshake"
  /** A message over the WebSocket. */
  | "frame"
  /** A call that can be read, so that it uses up its id. */
  | "call"
  /** The app's own code, as badly written as it may be. */
  | "app"
  /** Bytes over TCP that are no HTTP or no WebSocket. */
  | "TCP";

/** What whoever attacks is told. */
export type Answer =
  /** Refused before an upgrade: the status, and the code in the JSON of the body. */
  | `HTTP ${number} ${Code}`
  /** A status, of an answer that is not the room's refusal. */
  | `HTTP ${number}`
  /** The socket is closed with the code's close code, and with the code as the reason. */
  | `closed ${Code}`
  /** The socket is closed by the platform with that number. */
  | `closed ${number}`
  /** The connection ends with nothing said. */
  | "cut"
  /** An `error` frame. */
  | `error ${Code}`
  /** The outcome of a call: it was refused, and nothing of it was done. */
  | `rejected ${string}`
  /** Told to send again from the call that is due. */
  | "gap"
  /** The outcome of a call: it was done, as it was in its rights. */
  | "accepted"
  /** Let in, as what its token says. */
  | "welcome"
  /** Sent the state, as it may ask for. */
  | "state"
  | "pong"
  | "nothing";

/** One row of the contract. */
export interface Attack {
  readonly id: string;
  readonly channel: Channel;
  /** What the attacker does. */
  readonly does: string;
  /** Each attempt is answered by one of these, and each of these is the answer to one. */
  readonly answers: readonly Answer[];
  /** The limits that say how much is too much. */
  readonly limits?: readonly (keyof Limits)[];
  /** What else is to be known of the answer. */
  readonly note?: string;
}
