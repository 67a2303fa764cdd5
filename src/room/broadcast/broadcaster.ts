import { chooseCatchUp } from "./catch-up.ts";
import { type Position, live, type Session, type SnapshotProgress } from "../sessions/session.ts";
import type { Outcome } from "../../model/call.ts";
import type { Flush } from "../engine/batch.ts";
import { encodeDelta, type EncodedDelta } from "../../protocol/encoding/delta.ts";
import type { Limits } from "../limits.ts";
import type { Memory } from "../storage/room-state.ts";
import type { RoomStorage } from "../storage/room-storage.ts";
import type { View } from "../visibility/view.ts";
import { encodeText } from "../../protocol/codec.ts";
import type { WireOutcome } from "../../protocol/down/down-frames.ts";
import type { Arrived } from "../../protocol/handshake/hello.ts";
import { encodeShared, encodeUpdate, type SharedParts } from "../../protocol/down/update.ts";
import type { Json } from "../../schema/json.ts";
import { News } from "./flush-frames.ts";
import { beginSnapshot, resumeSnapshot, sendParts } from "./snapshot-sender.ts";

const noOutcomes: readonly never[] = [];

type SenderLimits = Pick<Limits, "checksumIntervalMs" | "pageBytes">;

/** What sending gives the room to do. */
export interface SenderRoom {
  /** Brings the pages up to date, and answers the memory that there is then. */
  readonly checkpoint: () => Memory;
  /** Told of each snapshot that is through. */
  readonly snapshotSent: () => void;
}

/**
 * Everything that goes down: each session from its own revision, with its own client's mark and outcomes.
 * It is called when nothing is unflushed, so all that it reads may be seen.
 */
export class Sender {
  readonly #storage: RoomStorage;
  readonly #sessions: ReadonlyMap<string, Session>;
  readonly #limits: SenderLimits;
  readonly #room: SenderRoom;
  /** When a flush last carried the checksums. */
  #checksumsAt = Number.NEGATIVE_INFINITY;
  #hasReplies = false;

  constructor(
    storage: RoomStorage,
    sessions: ReadonlyMap<string, Session>,
    limits: SenderLimits,
    room: SenderRoom,
  ) {
    this.#storage = storage;
    this.#sessions = sessions;
    this.#limits = limits;
    this.#room = room;
  }

  /** Whether something waits for the next flush that no batch brings along. */
  get hasReplies(): boolean {
    return this.#hasReplies;
  }

  /** Answers a call that was executed before, with the next flush. */
  reply(session: Session, clientReqId: number, outcome: Outcome): void {
    if (!session.isLive) return; // the catch-up that it waits for brings every outcome
    session.replies.set(clientReqId, [clientReqId, outcome]);
    this.#hasReplies = true;
  }

  /**
   * Sends a flush to all sessions that are live. Answers how many frames that took, and those that were not up to the
   * revision before it, to which the flush is of no use.
   */
  fanOut(
    memory: Memory,
    flush: Flush | undefined,
    signals: Pick<SharedParts, "presence" | "events">,
    now: number,
  ): { readonly frames: number; readonly stale: readonly Session[] } {
    const delta = flush?.delta;
    const hasChecksums = delta !== undefined && this.#areChecksumsDue(now);
    const news = new News(delta, hasChecksums ? memory.state : undefined, signals);
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
      if (outcomes.length === 0 && news.isEmpty) continue;
      const told = news.of(session.view);
      if (session.owesMoreThan(1) || !session.bears(told.frame.byteLength)) {
        session.holdBack(); // the catch-up that follows then brings the outcomes as well
        continue;
      }
      session.lastSentRev = memory.rev;
      frames += 1;
      if (outcomes.length > 0) {
        const { mark } = memory.marks.get(session.client.actor) ?? {};
        session.send(encodeUpdate({ mark, outcomes, omitsHashes: true }, told.shared));
      } else session.send(told.frame);
    }
    return { frames: frames + stale.length, stale };
  }

  /** Brings a session up to date that was sent less than it should have been. */
  update(memory: Memory, session: Session): void {
    this.catchUp(memory, session, { epoch: session.epoch, rev: session.lastSentRev }, undefined);
    session.save();
  }

  /** Brings a session from `position` up to date. The reply carries `tag`, and all that the client has not confirmed. */
  catchUp(
    memory: Memory,
    session: Session,
    position: Position,
    tag: number | undefined,
    arrived?: Arrived,
  ): void {
    const { view } = session;
    const choice = chooseCatchUp(position, {
      epoch: view.epochOf(memory.epoch),
      rev: memory.rev,
      deltaSince: (rev) => shownSince(memory, rev, view),
      snapshotBytes: () => this.#snapshotBytes(memory, session),
    });
    switch (choice.kind) {
      case "current":
        return this.#finish(memory, session, { tag });
      case "delta":
        return this.#finish(memory, session, { tag, delta: choice.delta.body });
      case "snapshot": {
        const newest = this.#isTailLong(memory) ? this.#room.checkpoint() : memory;
        const progress = resumeSnapshot(newest, view.epochOf(newest.epoch), tag, arrived);
        return this.#sendSnapshot(newest, session, progress);
      }
      default:
        return choice satisfies never;
    }
  }

  /** Goes on with a session that was waiting. */
  resume(memory: Memory, session: Session): void {
    const { feed } = session;
    switch (feed.kind) {
      case "joining":
        return this.catchUp(memory, session, feed.position, feed.tag ?? 0, feed.arrived);
      case "behind":
        return this.catchUp(memory, session, { epoch: session.epoch, rev: feed.rev }, undefined);
      case "snapshot":
        return this.#sendSnapshot(memory, session, feed.progress);
      case "live":
        return;
      default:
        return feed satisfies never;
    }
  }

  #sendSnapshot(memory: Memory, session: Session, progress: SnapshotProgress): void {
    session.feed = { kind: "snapshot", progress };
    if (!sendParts(session, progress, memory, this.#storage)) return;
    const { parts, tag, baseRev } = progress;
    const tail =
      memory.rev === baseRev
        ? encodeDelta(baseRev, baseRev, new Map())
        : shownSince(memory, baseRev, session.view);
    if (tail === undefined) {
      // It took so long that history no longer reaches the oldest part.
      return this.#sendSnapshot(memory, session, beginSnapshot(memory, tag));
    }
    this.#finish(memory, session, { tag, parts, delta: tail.body });
    this.#room.snapshotSent();
  }

  /** The update that ends a catch-up, and who is here; from then on the session is live. */
  #finish(
    memory: Memory,
    session: Session,
    { tag, parts, delta }: { tag: number | undefined; parts?: number; delta?: Uint8Array },
  ): void {
    const mark = memory.marks.get(session.client.actor);
    const outcomes = mark === undefined || mark.answers.length === 0 ? undefined : mark.answers;
    const own = { tag, mark: mark?.mark ?? 0, outcomes, parts };
    session.replies.clear();
    session.send(encodeUpdate(own, encodeShared({ delta, checksums: session.view.checksums(memory.state) })));
    const roster = encodeText({ kind: "roster", peers: this.#peersOf(session) });
    session.send(roster);
    session.feed = live;
    session.lastSentRev = memory.rev;
  }

  /** Bytes of a snapshot sent now: the stored pages, as far as they are shown, and the delta that closes it. */
  #snapshotBytes(memory: Memory, { inflates, view }: Session): number {
    const pagesBytes = memory.stored ? this.#storage.pagesBytes(inflates) : 0;
    return tailBytes(memory) + pagesBytes * view.shareOf(memory.pages);
  }

  /** Whether a snapshot would be a delta first of all, which is made for each, is not compressed, and is one frame. */
  #isTailLong(memory: Memory): boolean {
    return tailBytes(memory) > Math.max(this.#limits.pageBytes, memory.pages.bytes);
  }

  #peersOf(session: Session): [actor: string, user: Json, presence: Json][] {
    const peers: [string, Json, Json][] = [];
    for (const peer of this.#sessions.values()) {
      if (peer === session || peer.presence === undefined) continue;
      peers.push([peer.client.actor, peer.client.user, peer.presence]);
    }
    return peers;
  }

  #takeOutcomes(session: Session, flush: Flush | undefined): readonly WireOutcome[] {
    const executed = flush?.answers.get(session.client.actor)?.answers ?? noOutcomes;
    if (session.replies.size === 0) return executed;
    const outcomes = [...session.replies.values(), ...executed].toSorted(([a], [b]) => a - b);
    session.replies.clear();
    return outcomes;
  }

  /** Now and then, for clients to see whether theirs are the same. */
  #areChecksumsDue(now: number): boolean {
    const elapsedMs = now - this.#checksumsAt;
    if (elapsedMs >= 0 && elapsedMs < this.#limits.checksumIntervalMs) return false;
    this.#checksumsAt = now;
    return true;
  }
}

/** What a view shows of a delta from `rev` or somewhat below it; undefined when history does not reach back that far. */
function shownSince({ history }: Memory, rev: number, view: View): EncodedDelta | undefined {
  const delta = history.since(rev);
  return delta && view.delta(delta);
}

/** Bytes of the delta that brings the stored pages up to date. */
function tailBytes({ rev, checkpointRev, history }: Memory): number {
  return rev === checkpointRev ? 0 : (history.since(checkpointRev)?.body.length ?? 0);
}
