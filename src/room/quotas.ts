import type { Caller } from "../core/call.ts";
import type { Limits } from "../core/limits.ts";
import { ownerOf } from "../core/owner.ts";
import { TokenBucket } from "../core/token-bucket.ts";
import { Meter, type MeterState } from "./meter.ts";
import type { Session } from "./session.ts";

/** What a client that has left had used up. */
interface Leaver {
  readonly owner: string;
  readonly meter: MeterState;
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
  /** By user: their sessions. */
  readonly #sessionsOf = new Map<string, number>();
  #strangers: TokenBucket | undefined;
  readonly #reads = new Map<string, ReadQuota>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Whether a user has as many sessions as one may. */
  isCrowded(client: Caller): boolean {
    const owner = ownerOf(client.user);
    return owner !== "" && (this.#sessionsOf.get(owner) ?? 0) >= this.#limits.maxSessionsPerUser;
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
      former?.meter ?? (left && new Meter(this.#limits, left.meter)) ?? Meter.full(this.#limits, now);
    const waitMs = meter.takeJoin(now);
    if (waitMs > 0) return waitMs;
    if (actor !== undefined && former === undefined) this.#forget(actor);
    return meter;
  }

  entered({ client }: Session): void {
    const owner = ownerOf(client.user);
    if (owner !== "") this.#sessionsOf.set(owner, (this.#sessionsOf.get(owner) ?? 0) + 1);
  }

  left({ client, meter }: Session): void {
    const { actor, user } = client;
    const owner = ownerOf(user);
    const sessions = (this.#sessionsOf.get(owner) ?? 0) - 1;
    if (sessions > 0) this.#sessionsOf.set(owner, sessions);
    else this.#sessionsOf.delete(owner);
    this.#forget(actor);
    this.#leavers.set(actor, { owner, meter: meter.state });
    if (owner !== "") {
      const actors = this.#leaversOf.get(owner) ?? new Set();
      this.#leaversOf.set(owner, actors.add(actor));
    }
    const [oldest] = this.#leavers.keys();
    if (this.#leavers.size > this.#limits.maxLeavers && oldest !== undefined) this.#forget(oldest);
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

  #takeStranger(now: number): number {
    const { joinsPerSecond, joinsBurst } = this.#limits;
    this.#strangers ??= new TokenBucket(joinsPerSecond, joinsBurst, { tokens: joinsBurst, at: now });
    return this.#strangers.take(now);
  }

  /** Of the clients of a user that have left, the last. */
  #lastOf(owner: string): string | undefined {
    return [...(this.#leaversOf.get(owner) ?? [])].at(-1);
  }

  #forget(actor: string): void {
    const leaver = this.#leavers.get(actor);
    if (leaver === undefined) return;
    this.#leavers.delete(actor);
    const actors = this.#leaversOf.get(leaver.owner);
    actors?.delete(actor);
    if (actors?.size === 0) this.#leaversOf.delete(leaver.owner);
  }
}
