import { chooseCatchUp, type Position } from "../core/catch-up.ts";
import type { Outcome } from "../core/call.ts";
import type { Checksums } from "../core/checksum.ts";
import type { Flush } from "../core/batch.ts";
import { encodeDelta } from "../core/history.ts";
import { utf8Bytes } from "../core/json.ts";
import { storedAnswer } from "../core/marks.ts";
import type { Memory } from "../core/memory.ts";
import type { RoomStorage } from "../core/storage.ts";
import { encodeDown, encodeUpdate } from "../protocol/codec.ts";
import type { Json } from "../schema/json.ts";
import { live, type Session, type SnapshotProgress } from "./session.ts";
import { beginSnapshot, sendParts } from "./snapshot-sender.ts";

/** Of what may be unacknowledged: below it a session that was held back goes on. */
const resumeShare = 0.5;

/** What a flush has for everybody: texts that are made once. */
interface Shared {
  readonly delta: string | undefined;
  readonly checksums: Checksums | undefined;
  readonly presence: string | undefined;
  readonly events: string | undefined;
}

/**
 * Everything that goes down: each session from its own revision, with its own client's mark and outcomes.
 * It is called when nothing is unflushed, so all that it reads may be seen.
 */
export class Sender {
  readonly #storage: RoomStorage;
  readonly #sessions: ReadonlyMap<string, Session>;
  readonly #checksumIntervalMs: number;
  /** When a flush last carried the checksums. */
  #checksumsAt = Number.NEGATIVE_INFINITY;
  #hasReplies = false;

  constructor(storage: RoomStorage, sessions: ReadonlyMap<string, Session>, checksumIntervalMs: number) {
    this.#storage = storage;
    this.#sessions = sessions;
    this.#checksumIntervalMs = checksumIntervalMs;
  }

  /** Whether something waits for the next flush that no batch brings along. */
  get hasReplies(): boolean {
    return this.#hasReplies;
  }

  /** Answers a call that was executed before, with the next flush. */
  reply(session: Session, clientReqId: number, outcome: Outcome): void {
    if (!session.isLive) return; // the catch-up that it waits for brings every outcome
    session.replies.push([clientReqId, outcome]);
    this.#hasReplies = true;
  }

  /**
   * Sends a flush to all sessions that are live. Answers how many frames that took, and those that were not up to the
   * revision before it, to which the flush is of no use.
   */
  fanOut(
    memory: Memory,
    flush: Flush | undefined,
    signals: Pick<Shared, "presence" | "events">,
    now: number,
  ): { readonly frames: number; readonly stale: readonly Session[] } {
    const delta = flush?.delta;
    const checksums = delta === undefined ? undefined : this.#checksumsDue(memory, now);
    const shared: Shared = { delta: delta?.body, checksums, ...signals };
    const sharedText = Object.values(shared).some((text) => text !== undefined)
      ? encodeUpdate(shared)
      : undefined;
    const sharedBytes = sharedText === undefined ? 0 : utf8Bytes(sharedText);
    let frames = 0;
    const stale: Session[] = [];
    this.#hasReplies = false;
    for (const session of this.#sessions.values()) {
      if (!session.isLive) continue;
      if (session.lastSentRev !== (delta?.from ?? memory.rev)) {
        stale.push(session);
        continue;
      }
      const outcomes = this.#takeOutcomes(session, flush);
      if (outcomes.length === 0 && sharedText === undefined) continue;
      if (session.owesMoreThan(1)) {
        // Nothing more until it acknowledges. The catch-up that follows then brings the outcomes as well.
        session.feed = { kind: "behind", rev: session.lastSentRev };
        continue;
      }
      session.lastSentRev = memory.rev;
      frames += 1;
      if (outcomes.length > 0) {
        const { mark } = memory.marks.get(session.client.actor) ?? {};
        session.send(encodeUpdate({ mark, outcomes, ...shared }));
      } else if (sharedText !== undefined) {
        session.send(sharedText, sharedBytes);
      }
    }
    return { frames: frames + stale.length, stale };
  }

  /** Brings a session up to date that was sent less than it should have been. */
  update(memory: Memory, session: Session): void {
    this.catchUp(memory, session, { epoch: memory.epoch, rev: session.lastSentRev }, undefined);
  }

  /** Brings a session from `position` up to date. The reply carries `tag`, and all that the client has not confirmed. */
  catchUp(memory: Memory, session: Session, position: Position, tag: number | undefined): void {
    const choice = chooseCatchUp(position, {
      epoch: memory.epoch,
      rev: memory.rev,
      deltaSince: (rev) => memory.history.since(rev),
      snapshotBytes: () => snapshotBytes(memory),
    });
    switch (choice.kind) {
      case "current":
        return this.#finish(memory, session, { tag });
      case "delta":
        return this.#finish(memory, session, { tag, delta: choice.delta.body });
      case "snapshot":
        return this.#sendSnapshot(memory, session, beginSnapshot(memory, tag));
      default:
        return choice satisfies never;
    }
  }

  /** Goes on with a session that had to acknowledge first. */
  resume(memory: Memory, session: Session): void {
    const { feed } = session;
    if (session.owesMoreThan(resumeShare)) return;
    if (feed.kind === "behind") {
      this.catchUp(memory, session, { epoch: memory.epoch, rev: feed.rev }, undefined);
    } else if (feed.kind === "snapshot") {
      this.#sendSnapshot(memory, session, feed.progress);
    }
  }

  #sendSnapshot(memory: Memory, session: Session, progress: SnapshotProgress): void {
    session.feed = { kind: "snapshot", progress };
    if (!sendParts(session, progress, memory, this.#storage)) return;
    const { parts, tag, baseRev } = progress;
    const tail =
      memory.rev === baseRev ? encodeDelta(baseRev, baseRev, new Map()) : memory.history.since(baseRev);
    if (tail === undefined) {
      // It took so long that history no longer reaches the oldest part.
      return this.#sendSnapshot(memory, session, beginSnapshot(memory, tag));
    }
    this.#finish(memory, session, { tag, parts, delta: tail.body });
  }

  /** The update that ends a catch-up, and who is here; from then on the session is live. */
  #finish(
    memory: Memory,
    session: Session,
    update: { tag: number | undefined; parts?: number; delta?: string },
  ): void {
    const mark = memory.marks.get(session.client.actor);
    const outcomes = Array.from(mark?.answers ?? [], storedAnswer);
    const text = encodeUpdate({
      ...update,
      mark: mark?.mark ?? 0,
      ...(outcomes.length > 0 && { outcomes }),
      checksums: memory.state.checksums,
    });
    session.replies.length = 0;
    session.send(text);
    const roster = encodeDown({ kind: "roster", peers: this.#peersOf(session) });
    session.send(roster);
    session.feed = live;
    session.lastSentRev = memory.rev;
  }

  #peersOf(session: Session): [actor: string, user: Json, presence: Json][] {
    const peers: [string, Json, Json][] = [];
    for (const peer of this.#sessions.values()) {
      if (peer === session || peer.presence === undefined) continue;
      peers.push([peer.client.actor, peer.client.user, peer.presence]);
    }
    return peers;
  }

  #takeOutcomes(session: Session, flush: Flush | undefined): readonly (readonly [number, Outcome])[] {
    const answers = flush?.answers.get(session.client.actor)?.answers ?? [];
    const executed = answers.map(([clientReqId, { outcome }]) => [clientReqId, outcome] as const);
    if (session.replies.length === 0) return executed;
    return [...session.replies.splice(0), ...executed].toSorted(([a], [b]) => a - b);
  }

  /** Now and then, for clients to see whether theirs are the same. */
  #checksumsDue({ state }: Memory, now: number): Checksums | undefined {
    const elapsedMs = now - this.#checksumsAt;
    if (elapsedMs >= 0 && elapsedMs < this.#checksumIntervalMs) return undefined;
    this.#checksumsAt = now;
    return state.checksums;
  }
}

/** Bytes of a snapshot sent now: the stored pages and the delta that closes it. */
function snapshotBytes(memory: Memory): number {
  const tail =
    memory.rev === memory.checkpointRev ? 0 : (memory.history.since(memory.checkpointRev)?.bytes ?? 0);
  return memory.pages.bytes + tail;
}
