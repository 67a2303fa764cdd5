import type { Caller } from "../../model/call.ts";
import type { Limits } from "../limits.ts";
import { ownerOf } from "../owners/owner.ts";
import { Shares, type Holder } from "../owners/shares.ts";
import { TokenBucket } from "../../model/token-bucket.ts";
import { SessionRateLimits, type RateLimitState } from "./session-rate-limits.ts";
import type { Session } from "./session.ts";

/** What a client that has left had used up. */
interface Leaver {
  readonly owner: string;
  readonly rateLimits: RateLimitState;
}

/** The sessions that a user has now. */
interface Present {
  sessions: number;
  /** Of one of them: see `SessionRateLimits`. */
  readonly rateLimits: SessionRateLimits;
}

/** What a user may still read. */
interface ReadLimits {
  readonly reads: TokenBucket;
  readonly bytes: TokenBucket;
}

/** Of people whose reads are counted one by one. */
const maxReaders = 1_000;

/**
 * What people have used up beyond their sessions, so that to leave and come back gives nothing: a client takes up what it left, and
 * a user's new client what another of the same user left. Kept in memory alone: a room that can sleep has heard nothing for ten seconds.
 */
export class UserRateLimits {
  readonly #limits: Limits;
  /** By client id, who has left last at the end. */
  readonly #leavers = new Map<string, Leaver>();
  /** By user: the client ids of those leavers. */
  readonly #leaversOf = new Map<string, Set<string>>();
  readonly #leaverShares = new Shares();
  /** By user. */
  readonly #present = new Map<string, Present>();
  /** Sessions without a user. */
  #strangersHere = 0;
  #strangers: TokenBucket | undefined;
  readonly #reads = new Map<string, ReadLimits>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Whether a user has as many sessions as one may, or clients without a user have as many as they may together. */
  isCrowded(client: Caller): boolean {
    const { maxSessionsPerUser, maxSessionsWithoutUser } = this.#limits;
    const owner = ownerOf(client.user);
    if (owner === "") return this.#strangersHere >= maxSessionsWithoutUser;
    return (this.#present.get(owner)?.sessions ?? 0) >= maxSessionsPerUser;
  }

  /** The meter of a client that has used up what `state` says, and its user what other sessions say. */
  meterOf({ owner }: Pick<Holder, "owner">, state: RateLimitState): SessionRateLimits {
    return new SessionRateLimits(this.#limits, state, this.#present.get(owner)?.rateLimits);
  }

  /**
   * The meter of a client that comes, in place of `former` if it is here already; or the milliseconds that it has to wait. Without a
   * user and unknown it is one of many that nothing tells apart.
   */
  admit(
    client: Caller,
    former: Session | undefined,
    isKnown: boolean,
    now: number,
  ): SessionRateLimits | number {
    const owner = ownerOf(client.user);
    const clientId = this.#leavers.has(client.clientId) ? client.clientId : this.#lastOf(owner);
    const left = clientId === undefined ? undefined : this.#leavers.get(clientId);
    if (former === undefined && left === undefined && owner === "" && !isKnown) {
      const waitMs = this.#takeStranger(now);
      if (waitMs > 0) return waitMs;
    }
    const rateLimits =
      former?.rateLimits ??
      this.meterOf({ owner }, left?.rateLimits ?? SessionRateLimits.full(this.#limits, now).state);
    const waitMs = rateLimits.takeJoin(now);
    if (waitMs > 0) return waitMs;
    if (clientId !== undefined && former === undefined) this.#forget(clientId);
    return rateLimits;
  }

  entered({ holder: { owner }, rateLimits }: Session): void {
    if (owner === "") {
      this.#strangersHere += 1;
      return;
    }
    const present = this.#present.get(owner) ?? { sessions: 0, rateLimits };
    present.sessions += 1;
    this.#present.set(owner, present);
  }

  left({ holder: { clientId, owner }, rateLimits }: Session): void {
    this.#leaveUser(owner);
    this.#forget(clientId);
    this.#leavers.set(clientId, { owner, rateLimits: rateLimits.state });
    this.#leaverShares.add({ clientId, owner }, 1);
    if (owner !== "") {
      const clientIds = this.#leaversOf.get(owner) ?? new Set();
      this.#leaversOf.set(owner, clientIds.add(clientId));
    }
    if (this.#leavers.size > this.#limits.maxLeavers) this.#forgetOne();
  }

  /** Returns 0 if a user may read the state as a whole now, and otherwise the milliseconds to wait. */
  takeRead(user: Caller["user"], now: number): number {
    const { reads, bytes } = this.#readsOf(user, now);
    return reads.take(now) || bytes.take(now, this.#limits.readBytesPerSecond, 0);
  }

  /** Charges a user for bytes of the state that were written for it. */
  spendRead(user: Caller["user"], bytes: number, now: number): void {
    this.#readsOf(user, now).bytes.take(now, 0, bytes);
  }

  #readsOf(user: Caller["user"], now: number): ReadLimits {
    const { readsPerSecond, readsBurst, readBytesPerSecond, readBytesBurst } = this.#limits;
    const owner = ownerOf(user);
    const readLimits = this.#reads.get(owner) ?? {
      reads: new TokenBucket(readsPerSecond, readsBurst, { tokens: readsBurst, at: now }),
      bytes: new TokenBucket(readBytesPerSecond, readBytesBurst, { tokens: readBytesBurst, at: now }),
    };
    this.#reads.delete(owner);
    this.#reads.set(owner, readLimits);
    const [oldest] = this.#reads.keys();
    if (this.#reads.size > maxReaders && oldest !== undefined) this.#reads.delete(oldest);
    return readLimits;
  }

  #leaveUser(owner: string): void {
    if (owner === "") {
      this.#strangersHere -= 1;
      return;
    }
    const present = this.#present.get(owner);
    if (present === undefined) return;
    present.sessions -= 1;
    if (present.sessions === 0) this.#present.delete(owner);
  }

  #takeStranger(now: number): number {
    const { joinsPerSecond, joinsBurst } = this.#limits;
    this.#strangers ??= new TokenBucket(joinsPerSecond, joinsBurst, { tokens: joinsBurst, at: now });
    return this.#strangers.take(now);
  }

  /** Of the clients of a user that have left, the last. */
  #lastOf(owner: string): string | undefined {
    return [...(this.#leaversOf.get(owner) ?? [])].at(-1);
  }

  /** Forgets the first that left among the leavers of the owners with the most: no user makes another one's rates start full again. */
  #forgetOne(): void {
    const { maxLeavers } = this.#limits;
    const [oldest] = this.#leavers.keys();
    for (const [clientId, { owner }] of this.#leavers)
      if (this.#leaverShares.isAmongLargest({ clientId, owner }, maxLeavers)) return this.#forget(clientId);
    if (oldest !== undefined) this.#forget(oldest);
  }

  #forget(clientId: string): void {
    const leaver = this.#leavers.get(clientId);
    if (leaver === undefined) return;
    this.#leavers.delete(clientId);
    this.#leaverShares.add({ clientId, owner: leaver.owner }, -1);
    const clientIds = this.#leaversOf.get(leaver.owner);
    clientIds?.delete(clientId);
    if (clientIds?.size === 0) this.#leaversOf.delete(leaver.owner);
  }
}
