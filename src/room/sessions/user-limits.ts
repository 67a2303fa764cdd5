import type { Caller } from "../../model/call.ts";
import type { Limits } from "../limits.ts";
import { ownerOf } from "../owners/owner.ts";
import { Shares, type Holder } from "../owners/shares.ts";
import { TokenBucket } from "../../model/token-bucket.ts";
import { Meter, type MeterState } from "./session-limits.ts";
import type { Session } from "./session.ts";

/** What a client that has left had used up. */
interface Leaver {
  readonly owner: string;
  readonly meter: MeterState;
}

/** The sessions that a user has now. */
interface Present {
  sessions: number;
  /** Of one of them: see `Meter`. */
  readonly meter: Meter;
}

/** What a user may still read. */
interface ReadQuota {
  readonly reads: TokenBucket;
  readonly bytes: TokenBucket;
}

/** Of people whose reads are counted one by one. */
const maxReaders = 1_000;

/**
 * What people have used up beyond their sessions, so that to leave and come back gives nothing: a client takes up what it left, and
 * a user's new client what another of the same user left. Kept in memory alone: a room that can sleep has heard nothing for ten seconds.
 */
export class Quotas {
  readonly #limits: Limits;
  /** By actor, who has left last at the end. */
  readonly #leavers = new Map<string, Leaver>();
  /** By user: the actors of those leavers. */
  readonly #leaversOf = new Map<string, Set<string>>();
  readonly #leaverShares = new Shares();
  /** By user. */
  readonly #present = new Map<string, Present>();
  /** Sessions without a user. */
  #strangersHere = 0;
  #strangers: TokenBucket | undefined;
  readonly #reads = new Map<string, ReadQuota>();

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
  meterOf({ owner }: Pick<Holder, "owner">, state: MeterState): Meter {
    return new Meter(this.#limits, state, this.#present.get(owner)?.meter);
  }

  /**
   * The meter of a client that comes, in place of `former` if it is here already; or the milliseconds that it has to wait. Without a
   * user and unknown it is one of many that nothing tells apart.
   */
  admit(client: Caller, former: Session | undefined, isKnown: boolean, now: number): Meter | number {
    const owner = ownerOf(client.user);
    const actor = this.#leavers.has(client.actor) ? client.actor : this.#lastOf(owner);
    const left = actor === undefined ? undefined : this.#leavers.get(actor);
    if (former === undefined && left === undefined && owner === "" && !isKnown) {
      const waitMs = this.#takeStranger(now);
      if (waitMs > 0) return waitMs;
    }
    const meter =
      former?.meter ?? this.meterOf({ owner }, left?.meter ?? Meter.full(this.#limits, now).state);
    const waitMs = meter.takeJoin(now);
    if (waitMs > 0) return waitMs;
    if (actor !== undefined && former === undefined) this.#forget(actor);
    return meter;
  }

  entered({ holder: { owner }, meter }: Session): void {
    if (owner === "") {
      this.#strangersHere += 1;
      return;
    }
    const present = this.#present.get(owner) ?? { sessions: 0, meter };
    present.sessions += 1;
    this.#present.set(owner, present);
  }

  left({ holder: { actor, owner }, meter }: Session): void {
    this.#leaveUser(owner);
    this.#forget(actor);
    this.#leavers.set(actor, { owner, meter: meter.state });
    this.#leaverShares.add({ actor, owner }, 1);
    if (owner !== "") {
      const actors = this.#leaversOf.get(owner) ?? new Set();
      this.#leaversOf.set(owner, actors.add(actor));
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

  #readsOf(user: Caller["user"], now: number): ReadQuota {
    const { readsPerSecond, readsBurst, readBytesPerSecond, readBytesBurst } = this.#limits;
    const owner = ownerOf(user);
    const quota = this.#reads.get(owner) ?? {
      reads: new TokenBucket(readsPerSecond, readsBurst, { tokens: readsBurst, at: now }),
      bytes: new TokenBucket(readBytesPerSecond, readBytesBurst, { tokens: readBytesBurst, at: now }),
    };
    this.#reads.delete(owner);
    this.#reads.set(owner, quota);
    const [oldest] = this.#reads.keys();
    if (this.#reads.size > maxReaders && oldest !== undefined) this.#reads.delete(oldest);
    return quota;
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
    for (const [actor, { owner }] of this.#leavers)
      if (this.#leaverShares.isAmongLargest({ actor, owner }, maxLeavers)) return this.#forget(actor);
    if (oldest !== undefined) this.#forget(oldest);
  }

  #forget(actor: string): void {
    const leaver = this.#leavers.get(actor);
    if (leaver === undefined) return;
    this.#leavers.delete(actor);
    this.#leaverShares.add({ actor, owner: leaver.owner }, -1);
    const actors = this.#leaversOf.get(leaver.owner);
    actors?.delete(actor);
    if (actors?.size === 0) this.#leaversOf.delete(leaver.owner);
  }
}
