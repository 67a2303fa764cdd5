import type { Introduction } from "../mutations/pending-queue.ts";
import type { PendingCall } from "../replica/rebase.ts";

/** A call as it outlives its page. */
export interface KeptCall extends PendingCall {
  readonly clientReqId: number;
  readonly baseRev: number;
  /** Ids that it had in other histories of the room. */
  readonly formerIds?: readonly number[];
}

/** What is needed to send a client's calls from another page, under the ids that they have. */
export interface KeptQueue extends Introduction {
  readonly secret: string;
  /** Their ids follow one another. */
  readonly calls: readonly KeptCall[];
}

/**
 * Keeps a queue's calls beyond their page. It does what it is asked in that order, and what it is asked in one turn together
 * or not at all. Its promises resolve when that is done, or is not to be hoped for.
 */
export interface CallKeeper {
  /** Keeps a call, or keeps it as it is now. */
  keep(call: KeptCall): Promise<void>;
  /** An answer has come: at `rev`, or a rejection. It may forget the call once the kept base has it, and then has to say so by `confirm`. */
  settle(clientReqId: number, rev: number | undefined): void;
  introduce(introduction: Introduction): Promise<void>;
  /** Forgets all calls: the ids are given anew. */
  clear(): Promise<void>;
}
