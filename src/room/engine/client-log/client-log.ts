import type { Answer } from "../../../model/call.ts";
import { jsonBytes } from "../../../model/json.ts";
import { decodeClientLog } from "./client-log-row.ts";
import type { Limits } from "../../limits.ts";
import { fairLevel, Shares, type Holder } from "../../owners/shares.ts";

/** What the room remembers of a client. */
export interface ClientOfOwner {
  readonly clientId: string;
  /** Of the person whose client this is, see `ownerOf`. */
  readonly owner: string;
}

/** What the room remembers of one client, so that a re-sent call is answered and not executed. */
export interface LoggedClient extends ClientOfOwner {
  /** Newest executed `clientReqId`. */
  lastCallId: number;
  /** Outcomes up to here have reached the client. */
  confirmed: number;
  /** What the calls above `confirmed` came to, one after the other. */
  readonly answers: Answer[];
  /** What they take in storage, where they are one row. */
  answerBytes: number;
  /** Milliseconds since the epoch. */
  seenAt: number;
}

/** What the room remembers of a client, as a checkpoint writes it. */
export interface StoredClient extends ClientOfOwner {
  readonly lastCallId: number;
  readonly confirmed: number;
  readonly seenAt: number;
  readonly outcomes: readonly Answer[];
}

/** ClientLog that a checkpoint takes out. */
export interface ForgottenClients {
  readonly clientIds: readonly string[];
  /** Owners of those among them that may still have a call in doubt, each once. */
  readonly owners: readonly string[];
}

/** How much is remembered. */
export type ClientLogLimits = Pick<
  Limits,
  | "maxLoggedClients"
  | "maxLoggedClientsPerUser"
  | "maxRemoteClients"
  | "maxClientLogAgeDays"
  | "maxAllUnconfirmedBytes"
>;

const dayMs = 86_400_000;
/** No client's client id has a colon. */
const remotePrefix = "rpc:";

/** The client id of a backend's call under an idempotency key: a client of its own, with this one call. */
export function remoteClientId(idempotencyKey: string): string {
  return remotePrefix + idempotencyKey;
}

function isRemote(clientId: string): boolean {
  return clientId.startsWith(remotePrefix);
}

/** What an executed call came to; undefined when its client has confirmed it. */
export function answerTo({ answers, confirmed }: LoggedClient, clientReqId: number): Answer | undefined {
  return answers[clientReqId - confirmed - 1];
}

/** What the room remembers of each client, by client id. */
export class ClientLog {
  readonly #clients = new Map<string, LoggedClient>();
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

  get(clientId: string): LoggedClient | undefined {
    return this.#clients.get(clientId);
  }

  /** Notes an executed call. */
  execute(client: ClientOfOwner, answer: Answer, now: number): LoggedClient {
    const known = this.#open(client);
    const [clientReqId] = answer;
    if (clientReqId !== known.lastCallId + 1)
      throw new Error(`mark gap: have ${known.lastCallId}, got ${clientReqId}`);
    known.lastCallId = clientReqId;
    known.answers.push(answer);
    this.#weigh(known, bytesOf(answer));
    known.seenAt = now;
    this.#changed.add(client.clientId);
    return known;
  }

  /** Notes that the client is or was here, for `evict` to know. */
  see(clientId: string, now: number): void {
    const client = this.#clients.get(clientId);
    if (client === undefined) return;
    client.seenAt = now;
    this.#changed.add(clientId);
  }

  /** Forgets the outcomes that the client says it has. */
  confirm(clientId: string, confirmed: number): void {
    const client = this.#clients.get(clientId);
    if (client === undefined) return;
    const upTo = Math.min(confirmed, client.lastCallId);
    if (upTo <= client.confirmed) return;
    for (let left = upTo - client.confirmed; left > 0; left--) {
      this.#weigh(client, -bytesOf(client.answers.shift() as Answer));
    }
    client.confirmed = upTo;
    this.#changed.add(clientId);
  }

  /** Adds the outcomes of a journal row, on wake. */
  replay(text: string): void {
    for (const { clientId, confirmed, answers, seenAt, owner } of decodeClientLog(text)) {
      const client = owner === undefined ? this.get(clientId) : { clientId, owner };
      if (client === undefined) throw new Error(`mark gap: nobody said who ${clientId} is`);
      for (const answer of answers) this.execute(client, answer, seenAt);
      this.confirm(clientId, confirmed);
    }
  }

  /** Takes in what a checkpoint wrote, on wake. */
  load({ clientId, owner, lastCallId, confirmed, outcomes, seenAt }: StoredClient): void {
    const answers = [...outcomes];
    const client = { clientId, owner, lastCallId, confirmed, answers, answerBytes: 0, seenAt };
    this.#clients.set(clientId, client);
    for (const answer of outcomes) this.#weigh(client, bytesOf(answer));
  }

  /** Returns the clients that changed since the last call, for a checkpoint. */
  takeChanged(): StoredClient[] {
    const stored: StoredClient[] = [];
    for (const clientId of this.#changed) {
      const client = this.#clients.get(clientId);
      if (client === undefined) continue;
      const { owner, lastCallId, confirmed, seenAt } = client;
      const outcomes = [...client.answers];
      stored.push({ clientId, owner, lastCallId, confirmed, seenAt, outcomes });
    }
    this.#changed.clear();
    return stored;
  }

  /**
   * Forgets clients beyond each limit, but none that is present. A limit that all share is exceeded by those that hold most of it:
   * only their clients are forgotten. Calls of backends have a limit of their own.
   */
  evict(limits: ClientLogLimits, now: number, isPresent: (clientId: string) => boolean): ForgottenClients {
    const seenBefore = now - limits.maxClientLogAgeDays * dayMs;
    const absent = [...this.#clients.values()]
      .filter(({ clientId }) => !isPresent(clientId))
      .toSorted(byWorth);
    const old = absent.filter(({ seenAt }) => seenAt < seenBefore);
    for (const client of old) this.#forget(client);
    const forgotten = [
      ...old,
      ...this.#forgetMany(absent, true, limits.maxRemoteClients, Infinity),
      ...this.#forgetMany(absent, false, limits.maxLoggedClients, limits.maxLoggedClientsPerUser),
      ...this.#forgetHeavy(absent, limits.maxAllUnconfirmedBytes),
    ];
    const owners = forgotten.filter(({ clientId }) => !isRemote(clientId)).map(({ owner }) => owner);
    return { clientIds: forgotten.map(({ clientId }) => clientId), owners: [...new Set(owners)] };
  }

  /** Forgets of `absent`, in that order, what is too many: for one user, and of the owners with the most when all are too many. */
  #forgetMany(
    absent: readonly LoggedClient[],
    areRemote: boolean,
    most: number,
    mostOfUser: number,
  ): LoggedClient[] {
    const counts = new Map<string, number>();
    let count = 0;
    for (const { clientId, owner } of this.#clients.values()) {
      if (isRemote(clientId) !== areRemote) continue;
      count += 1;
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
    const level = fairLevel(counts.values(), most);
    return absent.filter((client) => {
      const { clientId, owner } = client;
      if (isRemote(clientId) !== areRemote || !this.#clients.has(clientId)) return false;
      const owned = counts.get(owner) ?? 0;
      if ((owner === "" || owned <= mostOfUser) && (count <= most || owned <= level)) return false;
      counts.set(owner, owned - 1);
      count -= 1;
      this.#forget(client);
      return true;
    });
  }

  /** Forgets of `absent`, in that order, those whose unconfirmed outcomes are among the largest shares of too many bytes. */
  #forgetHeavy(absent: readonly LoggedClient[], maxBytes: number): LoggedClient[] {
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
      const { clientId, owner, answerBytes } = client;
      const owned = bytes.get(owner) ?? 0;
      const isHeavy = owned > level && answerBytes > (clientLevels.get(owner) ?? Infinity);
      if (!isHeavy || this.answerBytes <= maxBytes || !this.#clients.has(clientId)) return false;
      bytes.set(owner, owned - answerBytes);
      this.#forget(client);
      return true;
    });
  }

  #forget(client: LoggedClient): void {
    this.#clients.delete(client.clientId);
    this.#changed.delete(client.clientId);
    this.#weigh(client, -client.answerBytes);
  }

  #weigh(client: LoggedClient, bytes: number): void {
    client.answerBytes += bytes;
    this.#unconfirmed.add(client, bytes);
  }

  #open({ clientId, owner }: ClientOfOwner): LoggedClient {
    let client = this.#clients.get(clientId);
    if (client === undefined) {
      client = { clientId, owner, lastCallId: 0, confirmed: 0, answers: [], answerBytes: 0, seenAt: 0 };
      this.#clients.set(clientId, client);
    }
    return client;
  }
}

/** Order in which clients are forgotten: first those of whom only refusals are unconfirmed, then the longest unseen. */
function byWorth(a: LoggedClient, b: LoggedClient): number {
  return Number(holdsOnlyRefusals(b)) - Number(holdsOnlyRefusals(a)) || a.seenAt - b.seenAt;
}

function holdsOnlyRefusals({ answers }: LoggedClient): boolean {
  return answers.length > 0 && answers.every(([, { kind }]) => kind === "rejected");
}

function bytesOfAll(clients: readonly LoggedClient[]): number {
  return clients.reduce((sum, { answerBytes }) => sum + answerBytes, 0);
}

/** An accepted call's answer at its longest: three numbers, and words around them. */
const acceptedBytes = 80;

/** Bytes of an answer among those of its client, with the comma; a few more for a call that was accepted. */
function bytesOf(answer: Answer): number {
  if (answer[1].kind === "accepted") return acceptedBytes;
  return jsonBytes(answer) + 1;
}
