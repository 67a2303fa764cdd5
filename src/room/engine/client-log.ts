import type { Json } from "../../schema/json.ts";
import type { Answer, Outcome } from "../../model/call.ts";
import { jsonBytes } from "../../model/json.ts";
import type { Limits } from "../limits.ts";
import { fairLevel, Shares, type Holder } from "../owners/shares.ts";

/** A client as its mark knows it. */
export interface MarkedClient {
  readonly actor: string;
  /** Of the person whose client this is, see `ownerOf`. */
  readonly owner: string;
}

/** What the room remembers of one client, so that a re-sent call is answered and not executed. */
export interface ClientMark extends MarkedClient {
  /** Newest executed `clientReqId`. */
  mark: number;
  /** Outcomes up to here have reached the client. */
  confirmed: number;
  /** What the calls above `confirmed` came to, one after the other. */
  readonly answers: Answer[];
  /** What they take in storage, where they are one row. */
  answerBytes: number;
  /** Milliseconds since the epoch. */
  seenAt: number;
}

/** What one flush adds to a client's mark. */
export interface ClientAnswers {
  readonly client: ClientMark;
  /** In order of `clientReqId`; the last one's is the mark. */
  readonly answers: readonly Answer[];
}

/** A whole mark, as a checkpoint writes it. */
export interface StoredMark extends MarkedClient {
  readonly mark: number;
  readonly confirmed: number;
  readonly seenAt: number;
  readonly outcomes: readonly Answer[];
}

/** Marks that a checkpoint takes out. */
export interface ForgottenMarks {
  readonly actors: readonly string[];
  /** Owners of those among them that may still have a call in doubt, each once. */
  readonly owners: readonly string[];
}

/** How much is remembered. */
export type MarkLimits = Pick<
  Limits,
  "maxMarks" | "maxMarksPerUser" | "maxRemoteMarks" | "maxMarkAgeDays" | "maxAllUnconfirmedBytes"
>;

const dayMs = 86_400_000;
/** No client's actor has a colon. */
const remotePrefix = "rpc:";

/** The actor of a backend's call under an idempotency key: a client of its own, with this one call. */
export function remoteActor(idempotencyKey: string): string {
  return remotePrefix + idempotencyKey;
}

function isRemote(actor: string): boolean {
  return actor.startsWith(remotePrefix);
}

/** What an executed call came to; undefined when its client has confirmed it. */
export function answerTo({ answers, confirmed }: ClientMark, clientReqId: number): Answer | undefined {
  return answers[clientReqId - confirmed - 1];
}

/** The marks of all clients, by actor. */
export class Marks {
  readonly #clients = new Map<string, ClientMark>();
  /** Changed since the last checkpoint. */
  readonly #changed = new Set<string>();
  /** Who holds the outcomes that are not confirmed, in bytes. */
  readonly #unconfirmed = new Shares();

  get size(): number {
    return this.#clients.size;
  }

  /** Bytes of all outcomes that no client has confirmed. */
  get answerBytes(): number {
    return this.#unconfirmed.total;
  }

  /** Whether the outcomes of all clients have more than `maxBytes`, and those of `holder` are among the largest shares. */
  owesMost(holder: Holder, maxBytes: number): boolean {
    return this.#unconfirmed.isAmongLargest(holder, maxBytes);
  }

  get(actor: string): ClientMark | undefined {
    return this.#clients.get(actor);
  }

  /** Notes an executed call. */
  execute(client: MarkedClient, answer: Answer, now: number): ClientMark {
    const known = this.#open(client);
    const [clientReqId] = answer;
    if (clientReqId !== known.mark + 1) throw new Error(`mark gap: have ${known.mark}, got ${clientReqId}`);
    known.mark = clientReqId;
    known.answers.push(answer);
    this.#weigh(known, bytesOf(answer));
    known.seenAt = now;
    this.#changed.add(client.actor);
    return known;
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
    for (let left = upTo - client.confirmed; left > 0; left--) {
      this.#weigh(client, -bytesOf(client.answers.shift() as Answer));
    }
    client.confirmed = upTo;
    this.#changed.add(actor);
  }

  /** Takes in the marks of a journal row, on wake. */
  replay(text: string): void {
    for (const { actor, confirmed, answers, seenAt, owner } of decodeMarks(text)) {
      const client = owner === undefined ? this.get(actor) : { actor, owner };
      if (client === undefined) throw new Error(`mark gap: nobody said who ${actor} is`);
      for (const answer of answers) this.execute(client, answer, seenAt);
      this.confirm(actor, confirmed);
    }
  }

  /** Takes in what a checkpoint wrote, on wake. */
  load({ actor, owner, mark, confirmed, outcomes, seenAt }: StoredMark): void {
    const answers = [...outcomes];
    const client = { actor, owner, mark, confirmed, answers, answerBytes: 0, seenAt };
    this.#clients.set(actor, client);
    for (const answer of outcomes) this.#weigh(client, bytesOf(answer));
  }

  /** The marks that changed since the last call, for a checkpoint. */
  takeChanged(): StoredMark[] {
    const stored: StoredMark[] = [];
    for (const actor of this.#changed) {
      const client = this.#clients.get(actor);
      if (client === undefined) continue;
      const { owner, mark, confirmed, seenAt } = client;
      const outcomes = [...client.answers];
      stored.push({ actor, owner, mark, confirmed, seenAt, outcomes });
    }
    this.#changed.clear();
    return stored;
  }

  /**
   * Forgets clients beyond each limit, but none that is present. A limit that all share is exceeded by those that hold most of it:
   * only their clients are forgotten. Calls of backends have a limit of their own.
   */
  evict(limits: MarkLimits, now: number, isPresent: (actor: string) => boolean): ForgottenMarks {
    const seenBefore = now - limits.maxMarkAgeDays * dayMs;
    const absent = [...this.#clients.values()].filter(({ actor }) => !isPresent(actor)).toSorted(byWorth);
    const old = absent.filter(({ seenAt }) => seenAt < seenBefore);
    for (const client of old) this.#forget(client);
    const forgotten = [
      ...old,
      ...this.#forgetMany(absent, true, limits.maxRemoteMarks, Infinity),
      ...this.#forgetMany(absent, false, limits.maxMarks, limits.maxMarksPerUser),
      ...this.#forgetHeavy(absent, limits.maxAllUnconfirmedBytes),
    ];
    const owners = forgotten.filter(({ actor }) => !isRemote(actor)).map(({ owner }) => owner);
    return { actors: forgotten.map(({ actor }) => actor), owners: [...new Set(owners)] };
  }

  /** Forgets of `absent`, in that order, what is too many: for one user, and of the owners with the most when all are too many. */
  #forgetMany(
    absent: readonly ClientMark[],
    areRemote: boolean,
    most: number,
    mostOfUser: number,
  ): ClientMark[] {
    const counts = new Map<string, number>();
    let count = 0;
    for (const { actor, owner } of this.#clients.values()) {
      if (isRemote(actor) !== areRemote) continue;
      count += 1;
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
    const level = fairLevel(counts.values(), most);
    return absent.filter((client) => {
      const { actor, owner } = client;
      if (isRemote(actor) !== areRemote || !this.#clients.has(actor)) return false;
      const owned = counts.get(owner) ?? 0;
      if ((owner === "" || owned <= mostOfUser) && (count <= most || owned <= level)) return false;
      counts.set(owner, owned - 1);
      count -= 1;
      this.#forget(client);
      return true;
    });
  }

  /** Forgets of `absent`, in that order, those whose unconfirmed outcomes are among the largest shares of too many bytes. */
  #forgetHeavy(absent: readonly ClientMark[], maxBytes: number): ClientMark[] {
    if (this.answerBytes <= maxBytes) return [];
    const clients = [...this.#clients.values()];
    const byOwner = Map.groupBy(clients, ({ owner }) => owner);
    const bytes = new Map(Array.from(byOwner, ([owner, owned]) => [owner, bytesOfAll(owned)]));
    const level = fairLevel(bytes.values(), maxBytes);
    // Within a share the largest outcomes go first too: who holds little of it loses nothing.
    const clientLevels = new Map(
      Array.from(byOwner, ([owner, owned]) => [
        owner,
        fairLevel(
          owned.map(({ answerBytes }) => answerBytes),
          level,
        ),
      ]),
    );
    return absent.filter((client) => {
      const { actor, owner, answerBytes } = client;
      const owned = bytes.get(owner) ?? 0;
      const isHeavy = owned > level && answerBytes > (clientLevels.get(owner) ?? Infinity);
      if (!isHeavy || this.answerBytes <= maxBytes || !this.#clients.has(actor)) return false;
      bytes.set(owner, owned - answerBytes);
      this.#forget(client);
      return true;
    });
  }

  #forget(client: ClientMark): void {
    this.#clients.delete(client.actor);
    this.#changed.delete(client.actor);
    this.#weigh(client, -client.answerBytes);
  }

  #weigh(client: ClientMark, bytes: number): void {
    client.answerBytes += bytes;
    this.#unconfirmed.add(client, bytes);
  }

  #open({ actor, owner }: MarkedClient): ClientMark {
    let client = this.#clients.get(actor);
    if (client === undefined) {
      client = { actor, owner, mark: 0, confirmed: 0, answers: [], answerBytes: 0, seenAt: 0 };
      this.#clients.set(actor, client);
    }
    return client;
  }
}

/**
 * What a flush adds to marks, as its journal row has it: one JSON list, which takes a tenth of the time that objects
 * take. `seenAt, number of clients`, and of each `actor, confirmed, number of answers`, of each answer `clientReqId,
 * outcome, callHash`, and behind a client's first call ever its `owner`: later ones are of a client that storage knows.
 */
export function encodeMarks(clients: Iterable<ClientAnswers>, size: number, seenAt: number): string {
  const fields: Json[] = [seenAt, size];
  for (const { client, answers } of clients) {
    fields.push(client.actor, client.confirmed, answers.length);
    for (const [clientReqId, outcome, callHash] of answers) {
      fields.push(clientReqId, outcome.kind === "accepted" ? outcome.rev : outcome, callHash);
    }
    if (answers[0]?.[0] === 1) fields.push(client.owner);
  }
  return JSON.stringify(fields);
}

/** What a journal row adds to one client's mark. */
interface RowAnswers {
  readonly actor: string;
  readonly confirmed: number;
  readonly answers: readonly Answer[];
  /** Milliseconds since the epoch. */
  readonly seenAt: number;
  /** Whose the client is: told with its first call ever. */
  readonly owner?: string;
}

/** Reads what {@link encodeMarks} has written. */
export function* decodeMarks(text: string): Generator<RowAnswers> {
  const next = (JSON.parse(text) as Json[]).values();
  const take = <T extends Json>(): T => next.next().value as T;
  const seenAt = take<number>();
  for (let left = take<number>(); left > 0; left--) {
    const actor = take<string>();
    const confirmed = take<number>();
    const answers = Array.from({ length: take<number>() }, () => {
      return [take<number>(), readOutcome(take()), take<number>()] as const;
    });
    const isNew = answers[0]?.[0] === 1;
    yield { actor, confirmed, answers, seenAt, ...(isNew && { owner: take<string>() }) };
  }
}

function readOutcome(stored: Json): Outcome {
  return typeof stored === "number" ? { kind: "accepted", rev: stored } : (stored as unknown as Outcome);
}

/** Order in which clients are forgotten: first those of whom only refusals are unconfirmed, then the longest unseen. */
function byWorth(a: ClientMark, b: ClientMark): number {
  return Number(holdsOnlyRefusals(b)) - Number(holdsOnlyRefusals(a)) || a.seenAt - b.seenAt;
}

function holdsOnlyRefusals({ answers }: ClientMark): boolean {
  return answers.length > 0 && answers.every(([, { kind }]) => kind === "rejected");
}

function bytesOfAll(clients: readonly ClientMark[]): number {
  return clients.reduce((sum, { answerBytes }) => sum + answerBytes, 0);
}

/** An accepted call's answer at its longest: three numbers, and words around them. */
const acceptedBytes = 80;

/** Bytes of an answer among those of its client, with the comma; a few more for a call that was accepted. */
function bytesOf(answer: Answer): number {
  if (answer[1].kind === "accepted") return acceptedBytes;
  return jsonBytes(answer) + 1;
}
