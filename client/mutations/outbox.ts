import { TokenBucket } from "../../src/model/token-bucket.ts";
import type { UpFrame, Welcome } from "../../src/protocol/down/down-frames.ts";
import { Rejection } from "../../src/schema/rejection.ts";
import type { Json } from "../../src/schema/json.ts";
import type { MutationQueues } from "./mutation-queues.ts";
import type { Runtime } from "../platform.ts";

/** Calls sent and not answered; with more on the way, calls wait here. */
const maxInFlight = 1_024;
/**
 * Pushes sent and not answered. With more on the way, what is made goes with a later one, and direct edits of one
 * record squash: so a slow way to the room makes fewer, fuller frames instead of a longer queue.
 */
const maxPushesInFlight = 4;
/** What a frame may spend on calls: below what the room takes, for the frame's own text. */
const frameShare = 0.9;
/** The room counts tokens by its own clock, so the client does not use the last of them. */
const paceShare = 0.9;

/** How long a room may have calls wait: long enough not to send the same calls without a pause, and short enough to be of use. */
const minPauseMs = 20;
const maxPauseMs = 60_000;

/** The way up. */
export interface Uplink {
  /** Answers whether there was a socket to send on. */
  send(frame: UpFrame): boolean;
  /** Bytes received since it was last asked. */
  takeUnacknowledged(): number;
}

/**
 * Everything that goes up. The first message after a quiet moment leaves with the current turn, later ones are
 * gathered; in each turn calls go first, then presence, then events.
 */
export class Outbox {
  readonly #queues: MutationQueues;
  readonly #runtime: Runtime;
  readonly #gatherMs: number;
  readonly #uplink: Uplink;
  #limits: Welcome["limits"] | undefined;
  #bucket: TokenBucket | undefined;
  /** Of presence and events. */
  #ephemeral: TokenBucket | undefined;
  /** Set while the room has asked for a pause. */
  #cancelPause: (() => void) | undefined;
  #presence: Json | undefined;
  #isPresenceSent = true;
  #events: { event: string; payload: Json }[] = [];
  #sentAt = Number.NEGATIVE_INFINITY;
  #cancelTimer: (() => void) | undefined;
  /** Set while calls or presence have to wait for their pace. */
  #cancelWait: (() => void) | undefined;
  #waitUntil = 0;
  #isTurnOver = true;

  /** `gatherMs`: what is made within this time after a message goes with the next one. */
  constructor(queues: MutationQueues, runtime: Runtime, uplink: Uplink, gatherMs = 16) {
    this.#gatherMs = gatherMs;
    this.#queues = queues;
    this.#runtime = runtime;
    this.#uplink = uplink;
  }

  /** The room is there and up to date: whatever waits may go. Presence goes again, for the room to know it. */
  open(limits: Welcome["limits"]): void {
    this.#limits = limits;
    const now = this.#runtime.now();
    this.#bucket = paced(limits.callsPerSecond, limits.callsBurst, now);
    this.#ephemeral = paced(limits.ephemeralPerSecond, limits.ephemeralBurst, now);
    this.#isPresenceSent = this.#presence === undefined;
    this.flush();
  }

  /** The room is away: calls and presence are kept, events are not. */
  close(): void {
    this.#limits = undefined;
    this.#events = [];
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    this.#cancelPause?.();
    this.#cancelPause = undefined;
  }

  setPresence(presence: Json): void {
    this.#presence = presence;
    this.#isPresenceSent = false;
    this.schedule();
  }

  /** Throws {@link Rejection} `rate-limited` when there are too many. */
  addEvent(event: string, payload: Json): void {
    if (this.#limits === undefined || !this.#queues.isOwn) return;
    const retryAfterMs = this.#ephemeral?.take(this.#runtime.now()) ?? 0;
    if (retryAfterMs > 0) throw new Rejection("rate-limited", "too many events", { retryAfterMs });
    this.#events.push({ event, payload });
    this.schedule();
  }

  /** The room takes no calls for `wantedMs`. */
  pause(wantedMs: unknown): void {
    this.#cancelPause?.();
    this.#cancelPause = this.#runtime.startTimer(() => {
      this.#cancelPause = undefined;
      this.flush();
    }, pauseMs(wantedMs));
  }

  /**
   * The room has refused presence or an event, and takes neither for `wantedMs`. The newest presence is sent after that time. An
   * event is not kept, and `addEvent` throws meanwhile.
   */
  pauseEphemeral(wantedMs: unknown): void {
    if (this.#limits === undefined) return;
    const { ephemeralPerSecond, ephemeralBurst } = this.#limits;
    const tokens = 1 - (ephemeralPerSecond * paceShare * pauseMs(wantedMs)) / 1_000;
    this.#ephemeral = paced(ephemeralPerSecond, ephemeralBurst, this.#runtime.now(), tokens);
    this.#isPresenceSent = false;
    this.#sendPresence();
  }

  /** Something wants to go. */
  schedule(): void {
    if (this.#limits === undefined || this.#cancelTimer !== undefined || !this.#isTurnOver) return;
    const now = this.#runtime.now();
    // A clock that was set back would otherwise hold everything for as long as it went.
    if (now < this.#sentAt) this.#sentAt = now;
    const waitMs = this.#sentAt + this.#gatherMs - now;
    if (waitMs > 0) return this.#wakeIn(waitMs);
    this.#isTurnOver = false;
    void Promise.resolve().then(() => {
      this.#isTurnOver = true;
      this.flush();
    });
  }

  /** Sends what may go now. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#limits === undefined) return;
    this.#sendCalls(this.#limits);
    this.#sendPresence();
    for (const event of this.#events.splice(0)) this.#sendFrame({ kind: "event", ...event });
  }

  #sendPresence(): void {
    // Under the id of a page that is gone nobody is to be seen.
    if (this.#isPresenceSent || this.#presence === undefined || !this.#queues.isOwn) return;
    const waitMs = this.#ephemeral?.take(this.#runtime.now()) ?? 0;
    if (waitMs > 0) return this.#waitFor(waitMs);
    this.#isPresenceSent = this.#sendFrame({ kind: "presence", presence: this.#presence });
  }

  #sendCalls({ maxCallsPerFrame, maxFrameBytes }: Welcome["limits"]): void {
    const queue = this.#queues.current;
    for (;;) {
      if (this.#cancelPause !== undefined) return;
      if (queue.pushesInFlight >= maxPushesInFlight) return; // an answer will come, and call this again
      const granted = this.#grant(Math.min(maxCallsPerFrame, maxInFlight - queue.inFlight, queue.unsent));
      const calls = queue.take(granted, maxFrameBytes * frameShare, this.#runtime.now());
      const first = calls[0]?.clientReqId;
      if (first === undefined) return;
      const wireCalls = calls.map(({ baseRev, type, payload }): [number, string, Json] => [
        baseRev,
        type,
        payload,
      ]);
      const received = this.#uplink.takeUnacknowledged();
      const { confirmed } = queue;
      this.#sendFrame({
        kind: "push",
        first,
        calls: wireCalls,
        confirmed,
        ...(received > 0 && { received }),
      });
    }
  }

  /** How many of `wanted` calls the room's pace allows now; for the rest a timer is set. */
  #grant(wanted: number): number {
    for (let granted = 0; granted < wanted; granted++) {
      const waitMs = this.#bucket?.take(this.#runtime.now()) ?? 0;
      if (waitMs === 0) continue;
      this.#waitFor(waitMs);
      return granted;
    }
    return wanted;
  }

  #sendFrame(frame: UpFrame): boolean {
    this.#sentAt = this.#runtime.now();
    return this.#uplink.send(frame);
  }

  #wakeIn(ms: number): void {
    this.#cancelTimer ??= this.#runtime.startTimer(() => this.flush(), ms);
  }

  #waitFor(ms: number): void {
    const until = this.#runtime.now() + ms;
    if (this.#cancelWait !== undefined && this.#waitUntil <= until) return;
    this.#cancelWait?.();
    this.#waitUntil = until;
    this.#cancelWait = this.#runtime.startTimer(() => {
      this.#cancelWait = undefined;
      this.flush();
    }, ms);
  }
}

/** What a room takes, less the last of it. */
function paced(perSecond: number, burst: number, at: number, tokens = Infinity): TokenBucket {
  const most = Math.max(1, burst * paceShare);
  return new TokenBucket(perSecond * paceShare, most, { tokens: Math.min(tokens, most), at });
}

/** A room that does not say a number has the client wait for 1 s. */
function pauseMs(wantedMs: unknown): number {
  return typeof wantedMs === "number" ? Math.min(Math.max(wantedMs, minPauseMs), maxPauseMs) : 1_000;
}
