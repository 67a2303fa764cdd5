import type { Json } from "../../schema/json.ts";
import { Rejection } from "../../schema/rejection.ts";
import type { AuthorshipIndex } from "./authorship.ts";
import { transactType, type Caller, type CallOptions } from "../../model/call.ts";
import type { CallLimits } from "../../model/call-limits.ts";
import type { CallWork } from "./cost/call-work.ts";
import type { WireChanges } from "../../model/changes.ts";
import type { Fields } from "../../model/json.ts";
import { checkReceivedPayload } from "./received-payload.ts";
import { recordBytesOver } from "./cost/record-bytes.ts";
import type { Views } from "../visibility/view.ts";

/** The parts of the call options that are the same for every call to one room. */
type RoomCallOptions = Required<Pick<CallOptions, "definition" | "limits" | "serverMutators">>;

/**
 * What a client's call is run with. It checks the payload, counts the call's work, and keeps from the caller what the caller's
 * view does not show. It keeps the caller, the revision that the caller had, and the room's authorship, views and count of work.
 * A class, since there is one for each call: functions of its own would cost as much again.
 *
 * Invariants: a direct edit of a record that the caller is not shown is refused before anything reads the record. A rejection
 * says of such a record only its collection.
 */
export class ServerCallOptions implements CallOptions {
  readonly definition: RoomCallOptions["definition"];
  readonly limits: RoomCallOptions["limits"];
  readonly serverMutators: RoomCallOptions["serverMutators"];
  readonly location = "server";
  readonly measure = recordBytesOver;
  readonly now: number;
  readonly caller: Caller;
  readonly #baseRev: number;
  readonly #authorship: AuthorshipIndex;
  readonly #work: CallWork;
  readonly #views: Views;

  constructor(
    { definition, limits, serverMutators }: RoomCallOptions,
    views: Views,
    authorship: AuthorshipIndex,
    work: CallWork,
    caller: Caller,
    baseRev: number,
    now: number,
  ) {
    this.definition = definition;
    this.limits = limits;
    this.serverMutators = serverMutators;
    this.now = now;
    this.caller = caller;
    this.#baseRev = baseRev;
    this.#authorship = authorship;
    this.#work = work;
    this.#views = views;
  }

  checkPayload(type: string, payload: Json, limits: CallLimits): void {
    checkReceivedPayload(type, payload, limits);
    if (type === transactType) this.#assertShown(payload as WireChanges);
  }

  checked(record: Fields): void {
    this.#work.noteRecord(record);
  }

  shown(record: Fields | undefined): void {
    this.#work.noteShown(record);
  }

  changedByOthers(collection: string, id: string): boolean {
    return this.#authorship.changedByOthers(collection, id, this.caller.clientId, this.#baseRev);
  }

  /** Leaves out the id, the size and the faults of a record that the caller is not shown: only mutators write such records. */
  withoutHidden(rejection: Rejection, collection: string, id: string): Rejection {
    if (this.#views.of(this.caller).shows(collection, id)) return rejection;
    return new Rejection(rejection.code, `the call writes a record of ${collection} that you are not shown`);
  }

  /**
   * Throws {@link Rejection} for a direct edit of what its caller is not shown. Before anything looks at the records: whether
   * one is there would be told by the answer.
   */
  #assertShown(edit: WireChanges): void {
    const view = this.#views.of(this.caller);
    if (view.seesEverything) return;
    for (const collection in edit) {
      for (const [, id] of edit[collection] as WireChanges[string]) {
        if (!view.shows(collection, id))
          throw new Rejection("forbidden", `you are not shown this record of ${collection}`);
      }
    }
  }
}
