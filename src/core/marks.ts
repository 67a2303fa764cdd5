import type { Outcome } from "./call.ts";
import { jsonBytes } from "./json.ts";

/** What the room remembers of one client, so that a re-sent call is answered and not executed. */
export interface ClientMark {
  /** The half of the client id that nobody else knows. */
  readonly secret: string;
  /** Newest executed `clientReqId`. */
  mark: number;
  /** Outcomes up to here have reached the client. */
  confirmed: number;
  /** Outcomes above `confirmed`, by `clientReqId`. */
  readonly outcomes: Map<number, Outcome>;
  /** What they take in storage, where they are one row. */
  outcomeBytes: number;
  /** Milliseconds since the epoch. */
  seenAt: number;
}

/** What one flush adds to a client's mark: part of its journal row. */
export interface MarkEntry {
  readonly actor: string;
  readonly secret: string;
  readonly confirmed: number;
  readonly seenAt: number;
  /** New outcomes in order of id; the last one's id is the mark. */
  readonly outcomes: readonly (readonly [clientReqId: number, outcome: Outcome])[];
}

/** A whole mark, as a checkpoint writes it. */
export interface StoredMark extends MarkEntry {
  readonly mark: number;
}

/** The marks of all clients, by actor. */
export class Marks {
  readonly #clients = new Map<string, ClientMark>();
  /** Changed since the last checkpoint. */
  readonly #changed = new Set<string>();

  get size(): number {
    return this.#clients.size;
  }

  get(actor: string): ClientMark | undefined {
    return this.#clients.get(actor);
  }

  /** Notes an executed call. */
  execute(actor: string, secret: string, clientReqId: number, outcome: Outcome, now: number): void {
    const client = this.#open(actor, secret);
    if (clientReqId !== client.mark + 1) throw new Error(`mark gap: have ${client.mark}, got ${clientReqId}`);
    client.mark = clientReqId;
    client.outcomes.set(clientReqId, outcome);
    client.outcomeBytes += weigh(clientReqId, outcome);
    client.seenAt = now;
    this.#changed.add(actor);
  }

  /** Notes that the client is or was here, for `evict` to know. */
  see(actor: string, now: number): void {
    const client = this.#clients.get(actor);
    if (client === undefined) return;
    client.seenAt = now;
    this.#changed.add(actor);
  }

  /** Forgets the outcomes that the client says it has. */
  confirm(actor: string, confirmed: number): void {
    const client = this.#clients.get(actor);
    if (client === undefined) return;
    const upTo = Math.min(confirmed, client.mark);
    if (upTo <= client.confirmed) return;
    for (let id = client.confirmed + 1; id <= upTo; id++) {
      const outcome = client.outcomes.get(id);
      if (outcome !== undefined) client.outcomeBytes -= weigh(id, outcome);
      client.outcomes.delete(id);
    }
    client.confirmed = upTo;
    this.#changed.add(actor);
  }

  /** Takes in what a journal row says, on wake. */
  replay(entry: MarkEntry): void {
    for (const [id, outcome] of entry.outcomes)
      this.execute(entry.actor, entry.secret, id, outcome, entry.seenAt);
    this.confirm(entry.actor, entry.confirmed);
  }

  /** Takes in what a checkpoint wrote, on wake. */
  load(stored: StoredMark): void {
    const { secret, mark, confirmed, outcomes, seenAt } = stored;
    const outcomeBytes = outcomes.reduce((bytes, [id, outcome]) => bytes + weigh(id, outcome), 0);
    this.#clients.set(stored.actor, {
      secret,
      mark,
      confirmed,
      outcomes: new Map(outcomes),
      outcomeBytes,
      seenAt,
    });
  }

  /** The marks that changed since the last call, for a checkpoint. */
  takeChanged(): StoredMark[] {
    const stored: StoredMark[] = [];
    for (const actor of this.#changed) {
      const client = this.#clients.get(actor);
      if (client === undefined) continue;
      const { secret, mark, confirmed, seenAt } = client;
      stored.push({ actor, secret, mark, confirmed, seenAt, outcomes: [...client.outcomes] });
    }
    this.#changed.clear();
    return stored;
  }

  /** Forgets clients unseen since `seenBefore`, and the longest unseen beyond `maxCount`, but none that is present. */
  evict(maxCount: number, seenBefore: number, isPresent: (actor: string) => boolean): string[] {
    const byAge = [...this.#clients]
      .filter(([actor]) => !isPresent(actor))
      .toSorted(([, a], [, b]) => a.seenAt - b.seenAt);
    const evicted: string[] = [];
    for (const [actor, client] of byAge) {
      if (this.#clients.size <= maxCount && client.seenAt >= seenBefore) break;
      this.#clients.delete(actor);
      this.#changed.delete(actor);
      evicted.push(actor);
    }
    return evicted;
  }

  #open(actor: string, secret: string): ClientMark {
    let client = this.#clients.get(actor);
    if (client === undefined) {
      client = { secret, mark: 0, confirmed: 0, outcomes: new Map(), outcomeBytes: 0, seenAt: 0 };
      this.#clients.set(actor, client);
    }
    return client;
  }
}

/** Bytes of an outcome among those of its client, with the comma. */
function weigh(clientReqId: number, outcome: Outcome): number {
  return jsonBytes([clientReqId, outcome]) + 1;
}
