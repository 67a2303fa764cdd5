import type { Introduction } from "../../../client/mutations/pending-queue.ts";
import type { CallKeeper, KeptCall } from "../../../client/offline/kept-calls.ts";
import type { QueueKeeper } from "../../../client/offline/queue-keeper.ts";
import { equalJson } from "../../../src/model/json.ts";
import type { Json } from "../../../src/schema/json.ts";

import { tokenOf, type KeptClient } from "./browser-storage.ts";
import type { Stage } from "../stage.ts";

/** Told of every answer to a call that is kept, `rev` undefined for a rejected one. */
export type Answered = (client: KeptClient, call: KeptCall, rev: number | undefined) => void;

/**
 * Keeps one client's calls while its page is there. What it is asked in one turn is written at once and some time later, or
 * not at all when the page is gone by then.
 */
export class SavedRoom implements CallKeeper {
  readonly client: KeptClient;
  readonly #stage: Stage;
  readonly #answered: Answered;
  /** Every call that it was given, as it was last. */
  readonly #given = new Map<number, KeptCall>();
  #queue: QueueKeeper | undefined;
  #changes: (() => void)[] = [];
  #written: Promise<void> | undefined;
  /** What is on its way to be written. */
  readonly #writes: (() => void)[] = [];
  #freeAt = 0;
  #forgetAt = 0;
  /** Ids that are given anew name other calls. */
  #ids = 0;
  #isStopped = false;
  /** Whether nothing more can be kept; what is there can still be forgotten. */
  isFull = false;

  constructor(stage: Stage, client: KeptClient, answered: Answered) {
    this.#stage = stage;
    this.client = client;
    this.#answered = answered;
    for (const [clientReqId, call] of client.calls) this.#given.set(clientReqId, call);
  }

  /** Says of what is forgotten so to this queue. */
  confirmTo(queue: QueueKeeper): void {
    this.#queue = queue;
  }

  /** Whether its queue has been emptied, and nothing of it is kept any more. */
  get isDone(): boolean {
    return this.#queue?.calls.length === 0 && this.client.calls.size === 0;
  }

  // ── what its queue asks ────────────────────────────────────────────────────────────────────────────────────

  async keep(call: KeptCall): Promise<void> {
    this.#given.set(call.clientReqId, call);
    if (!this.isFull) await this.#write(() => this.client.calls.set(call.clientReqId, call));
  }

  settle(clientReqId: number, rev: number | undefined): void {
    const call = this.#given.get(clientReqId);
    if (call === undefined)
      return this.#stage.fail(
        `call ${clientReqId} of ${this.client.clientId} is answered, and was never kept`,
      );
    this.#answered(this.client, call, rev);
    this.#forgetLater(clientReqId);
  }

  introduce(introduction: Introduction): Promise<void> {
    return this.#write(() => (this.client.introduction = introduction));
  }

  clear(): Promise<void> {
    this.#ids += 1;
    this.#given.clear();
    return this.#write(() => this.client.calls.clear());
  }

  // ── what becomes of it ─────────────────────────────────────────────────────────────────────────────────────

  /** Its page is gone without a word: what is not written yet never will be. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Its page is left in good order: what it was asked is written. */
  finish(): void {
    for (const write of this.#writes.splice(0)) write();
    for (const change of this.#changes.splice(0)) change();
    this.#isStopped = true;
  }

  /** Judges a call that leaves: if it is kept, then as it is and under the id that it has. */
  judge(clientReqId: number, payload: Json): void {
    const { calls, clientId, secret } = this.client;
    if (this.#stage.isDoubted(secret)) return;
    const kept = calls.get(clientReqId);
    if (kept !== undefined && !equalJson(kept.payload, payload))
      this.#stage.fail(
        `call ${clientReqId} of ${clientId} leaves as ${JSON.stringify(payload)}, kept is ${JSON.stringify(kept.payload)}`,
      );
    if (kept !== undefined && this.client.introduction === undefined)
      this.#stage.fail(
        `call ${clientReqId} of ${clientId} leaves, and nothing says since when the room knows it`,
      );
    const token = tokenOf(payload);
    const keptId = token === undefined ? undefined : this.client.idOf(token);
    if (keptId !== undefined && keptId !== clientReqId)
      this.#stage.fail(`call ${clientReqId} of ${clientId} leaves, and is kept under the id ${keptId}`);
  }

  #forgetLater(clientReqId: number): void {
    const { clock, dice, plan } = this.#stage;
    const ids = this.#ids;
    this.#forgetAt = Math.max(this.#forgetAt, clock.now + dice.between(...plan.forgetMs));
    clock.at(this.#forgetAt, () => {
      if (this.#isStopped || ids !== this.#ids) return;
      const forgotten = this.#write(() => this.client.calls.delete(clientReqId));
      void forgotten.then(() => this.#queue?.confirm(clientReqId));
    });
  }

  #write(change: () => unknown): Promise<void> {
    this.#changes.push(change);
    this.#written ??= Promise.resolve().then(() => this.#flush());
    return this.#written;
  }

  /** Puts what a turn has brought on its way. */
  #flush(): Promise<void> {
    const { clock, dice, plan } = this.#stage;
    const changes = this.#changes;
    this.#changes = [];
    this.#written = undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    const write = () => {
      if (this.#isStopped) return;
      for (const change of changes) change();
      this.#stage.note("kept of", this.client.clientId, () => [...this.client.calls.keys()].join(" "));
      resolve();
    };
    this.#writes.push(write);
    this.#freeAt = Math.max(this.#freeAt, clock.now + dice.between(...plan.keepMs));
    clock.at(this.#freeAt, () => {
      if (this.#writes[0] === write) this.#writes.shift();
      write();
    });
    return promise;
  }
}
