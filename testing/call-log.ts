import { transactType, type Outcome } from "../src/model/call.ts";
import { decodeClientLog } from "../src/room/engine/client-log/client-log-row.ts";
import { decodeUp } from "../src/protocol/codec.ts";
import type { WireCall } from "../src/protocol/down/down-frames.ts";
import { nameTable, type NameTable } from "../src/protocol/names.ts";
import type { AnyRoomDefinition, MutatorNamesOf } from "../src/schema/definition.ts";
import type { Json } from "../src/schema/json.ts";
import type { CheckedRun, TestPrediction } from "./mutator-check.ts";

/** A call as the room has seen it. */
export interface TestCall<D extends AnyRoomDefinition = AnyRoomDefinition> {
  /** Public id of the client; `rpc:…` for one of `server.mutate`. */
  readonly clientId: string;
  /** The person on whose behalf it was made; null when nobody was named. */
  readonly user: Json;
  /** The mutator's name, or `transact` for a direct edit, whose payload is its changes by collection. */
  readonly type: MutatorNamesOf<D> | "transact";
  /** What it was called with, as it arrived. */
  readonly payload: Json;
  /** How often it has arrived: above 1 when it was sent again. It is executed once all the same. */
  readonly arrivals: number;
  /** What it came to, once that is on disk. */
  readonly outcome: Outcome | undefined;
  /** What the mutator has thrown in the room that is no rejection; its caller is told `internal` and no more. */
  readonly error: unknown;
  /** What it would have come to as a prediction; undefined where there is none: direct edits, mutators of the server's own. */
  readonly prediction: TestPrediction | undefined;
}

/** An entry of the log, as it is being written. */
interface OpenCall {
  readonly call: { -readonly [K in keyof TestCall]: TestCall[K] };
  /** Whether the app's code has still to see it. */
  isDue: boolean;
}

interface LoggedCaller {
  readonly clientId: string;
  readonly user: Json;
}

/** Every call that has reached the room, and what became of it: by what arrives, and by what is written. */
export class CallLog {
  readonly calls: TestCall[] = [];
  readonly #names: NameTable;
  /** By client id and `clientReqId`. */
  readonly #open = new Map<string, Map<number, OpenCall>>();
  /** The one that the app's code was last given. */
  #current: OpenCall | undefined;

  constructor(definition: AnyRoomDefinition) {
    this.#names = nameTable(definition);
  }

  /** A message of a client has come; only pushes are of interest. */
  received(caller: LoggedCaller, raw: string | Uint8Array): void {
    const decoded = decodeUp(raw, Infinity, this.#names);
    if (decoded.kind !== "frame" || decoded.frame.kind !== "push") return;
    this.arrived(caller, decoded.frame.first, decoded.frame.calls);
  }

  /** Calls in order have arrived; the first has the id `first`. */
  arrived({ clientId, user }: LoggedCaller, first: number, calls: readonly WireCall[]): void {
    for (const [index, [, type, payload]] of calls.entries()) {
      const ofClient = this.#open.get(clientId) ?? new Map<number, OpenCall>();
      this.#open.set(clientId, ofClient);
      const known = ofClient.get(first + index);
      if (known !== undefined) {
        known.call.arrivals += 1;
        known.isDue = known.call.outcome === undefined;
        continue;
      }
      const call: OpenCall["call"] = {
        clientId,
        user,
        type,
        payload,
        arrivals: 1,
        outcome: undefined,
        error: undefined,
        prediction: undefined,
      };
      ofClient.set(first + index, { call, isDue: true });
      this.calls.push(call);
    }
  }

  /** The room has run a mutator. */
  ran({ clientId, type, prediction, thrown }: CheckedRun): void {
    const { call } = this.#take(clientId, type) ?? {};
    if (call === undefined) return;
    call.prediction = prediction;
    call.error = thrown?.error;
  }

  /** `authorize` is asked about a call, of which a mutator has run already. */
  judged(clientId: string, type: string): void {
    if (type === transactType) this.#take(clientId, type);
  }

  /** `authorize` has thrown what is no rejection. */
  threw(error: unknown): void {
    if (this.#current !== undefined) this.#current.call.error = error;
  }

  /** A flush with these outcomes is on disk. */
  flushed(clientLog: string): void {
    for (const { clientId, answers } of decodeClientLog(clientLog)) {
      for (const [clientReqId, outcome] of answers) {
        const open = this.#open.get(clientId)?.get(clientReqId);
        if (open !== undefined) open.call.outcome = outcome;
      }
    }
  }

  /** The next call of a client that the app's code has not seen; a client sends none that its own schema refuses. */
  #take(clientId: string, type: string): OpenCall | undefined {
    const calls = this.#open.get(clientId)?.values() ?? [];
    this.#current = [...calls].find(({ call, isDue }) => {
      return isDue && call.type === type && call.outcome === undefined;
    });
    if (this.#current !== undefined) this.#current.isDue = false;
    return this.#current;
  }
}
