import { chooseCatchUp } from "./catch-up.ts";
import { type Session } from "../sessions/session.ts";
import { type Position, live, type SnapshotProgress } from "../sessions/feed.ts";
import type { Outcome } from "../../model/call.ts";
import type { Flush } from "../engine/batch.ts";
import { encodeDelta, type EncodedDelta } from "../../protocol/encoding/delta.ts";
import type { Limits } from "../limits.ts";
import type { RoomState } from "../storage/room-state.ts";
import type { RoomStorage } from "../storage/room-storage.ts";
import type { View } from "../visibility/view.ts";
import { encodeText } from "../../protocol/codec.ts";
import type { WireOutcome } from "../../protocol/down/down-frames.ts";
import type { ResumeSnapshot } from "../../protocol/handshake/hello.ts";
import { encodeShared, encodeUpdate, type SharedParts } from "../../protocol/down/update.ts";
import type { Json } from "../../schema/json.ts";
import { FlushFrames } from "./flush-frames.ts";
import { beginSnapshot, resumedProgress, sendParts } from "./snapshot-sender.ts";

const noOutcomes: readonly never[] = [];

type SenderLimits = Pick<Limits, "checksumIntervalMs" | "pageBytes">;

/** What sending gives the room to do. */
export interface SenderRoom {
  /** Brings the pages up to date, and answers the memory that there is then. */
  readonly checkpoint: () => RoomState;
  /** Told of each snapshot that is through. */
  readonly snapshotSent: () => void;
}

/**
 * Everything that goes down: each session from its own revision, with its own client's last executed call and outcomes.
 * It is called when nothing is unflushed, so all that it reads may be seen.
 */
export class Broadcaster {
  readonly #storage: RoomStorage;
  readonly #sessions: ReadonlyMap<string, Session>;
  readonly #limits: SenderLimits;
  readonly #room: SenderRoom;
  /** When a flush last carried the checksums. */
  #checksumsAt = Number.NEGATIVE_INFINITY;
  /** The revision whose checksums all live sessions were sent last. */
  #checksumsRev: number | undefined;
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
    roomState: RoomState,
    flush: Flush | undefined,
    ephemeral: Pick<SharedParts, "presence" | "events">,
    now: number,
  ): { readonly frames: number; readonly stale: readonly Session[] } {
    const delta = flush?.delta;
    const hasChecksums = delta !== undefined && this.#areChecksumsDue(now);
    if (hasChecksums) this.#checksumsRev = roomState.rev;
    const flushFrames = new FlushFrames(delta, hasChecksums ? roomState.records : undefined, ephemeral);
    let frames = 0;
    const stale: Session[] = [];
    this.#hasReplies = false;
    for (const session of this.#sessions.values()) {
      if (!session.isLive) continue;
      if (session.lastSentRev !== (delta?.from ?? roomState.rev)) {
        stale.push(session);
        continue;
      }
      const outcomes = this.#takeOutcomes(session, flush);
      if (outcomes.length === 0 && flushFrames.isEmpty) continue;
      const told = flushFrames.of(session.view);
      if (session.owesMoreThan(1) || !session.bears(told.frame.byteLength)) {
        session.holdBack(); // the catch-up that follows then brings the outcomes as well
        continue;
      }
      session.lastSentRev = roomState.rev;
      frames += 1;
      if (outcomes.length > 0) {
        const { lastCallId } = roomState.clientLog.get(session.client.clientId) ?? {};
        session.send(encodeUpdate({ lastCallId, outcomes, omitsHashes: true }, told.shared));
      } else session.send(told.frame);
    }
    return { frames: frames + stale.length, stale };
  }

  /** Whether there are sessions that were not sent the checksums of the newest revision. */
  owesChecksums({ rev }: RoomState): boolean {
    return this.#sessions.size > 0 && rev !== this.#checksumsRev;
  }

  /**
   * Sends each live session the checksums of the newest revision. A room that goes quiet does this once: a client whose copy
   * differs would otherwise keep it until somebody writes again.
   */
  sendChecksums(roomState: RoomState): void {
    const frames = new FlushFrames(undefined, roomState.records, { presence: undefined, events: undefined });
    this.#checksumsRev = roomState.rev;
    for (const session of this.#sessions.values()) {
      if (!session.isLive || session.lastSentRev !== roomState.rev || session.owesMoreThan(1)) continue;
      const { frame } = frames.of(session.view);
      if (session.bears(frame.byteLength)) session.send(frame);
    }
  }

  /** Brings a session up to date that was sent less than it should have been. */
  update(roomState: RoomState, session: Session): void {
    this.catchUp(roomState, session, { epoch: session.epoch, rev: session.lastSentRev }, undefined);
    session.save();
  }

  /** Brings a session from `position` up to date. The reply carries `tag`, and all that the client has not confirmed. */
  catchUp(
    roomState: RoomState,
    session: Session,
    position: Position,
    tag: number | undefined,
    resumeSnapshot?: ResumeSnapshot,
  ): void {
    const { view } = session;
    const choice = chooseCatchUp(position, {
      epoch: view.epochOf(roomState.epoch),
      rev: roomState.rev,
      deltaSince: (rev) => shownSince(roomState, rev, view),
      snapshotBytes: () => this.#snapshotBytes(roomState, session),
    });
    switch (choice.kind) {
      case "current":
        return this.#finish(roomState, session, { tag });
      case "delta":
        return this.#finish(roomState, session, { tag, delta: choice.delta.body });
      case "snapshot": {
        const newest = this.#isTailLong(roomState) ? this.#room.checkpoint() : roomState;
        const progress = resumedProgress(newest, view.epochOf(newest.epoch), tag, resumeSnapshot);
        return this.#sendSnapshot(newest, session, progress);
      }
      default:
        return choice satisfies never;
    }
  }

  /** Goes on with a session that was waiting. */
  resume(roomState: RoomState, session: Session): void {
    const { feed } = session;
    switch (feed.kind) {
      case "joining":
        return this.catchUp(roomState, session, feed.position, feed.tag ?? 0, feed.resumeSnapshot);
      case "behind":
        return this.catchUp(roomState, session, { epoch: session.epoch, rev: feed.rev }, undefined);
      case "snapshot":
        return this.#sendSnapshot(roomState, session, feed.progress);
      case "live":
        return;
      default:
        return feed satisfies never;
    }
  }

  #sendSnapshot(roomState: RoomState, session: Session, progress: SnapshotProgress): void {
    session.feed = { kind: "snapshot", progress };
    if (!sendParts(session, progress, roomState, this.#storage)) return;
    const { parts, tag, baseRev } = progress;
    const tail =
      roomState.rev === baseRev
        ? encodeDelta(baseRev, baseRev, new Map())
        : shownSince(roomState, baseRev, session.view);
    if (tail === undefined) {
      // It took so long that history no longer reaches the oldest part.
      return this.#sendSnapshot(roomState, session, beginSnapshot(roomState, tag));
    }
    this.#finish(roomState, session, { tag, parts, delta: tail.body });
    this.#room.snapshotSent();
  }

  /** The update that ends a catch-up, and who is here; from then on the session is live. */
  #finish(
    roomState: RoomState,
    session: Session,
    { tag, parts, delta }: { tag: number | undefined; parts?: number; delta?: Uint8Array },
  ): void {
    const logged = roomState.clientLog.get(session.client.clientId);
    const outcomes = logged === undefined || logged.answers.length === 0 ? undefined : logged.answers;
    const own = { tag, lastCallId: logged?.lastCallId ?? 0, outcomes, parts };
    session.replies.clear();
    session.send(
      encodeUpdate(own, encodeShared({ delta, checksums: session.view.checksums(roomState.records) })),
    );
    const peers = encodeText({ kind: "peers", peers: this.#peersOf(session) });
    session.send(peers);
    session.feed = live;
    session.lastSentRev = roomState.rev;
  }

  /** Bytes of a snapshot sent now: the stored pages, as far as they are shown, and the delta that closes it. */
  #snapshotBytes(roomState: RoomState, { acceptsDeflate, view }: Session): number {
    const pagesBytes = roomState.stored ? this.#storage.pagesBytes(acceptsDeflate) : 0;
    return tailBytes(roomState) + pagesBytes * view.shareOf(roomState.pages);
  }

  /** Whether a snapshot would be a delta first of all, which is made for each, is not compressed, and is one frame. */
  #isTailLong(roomState: RoomState): boolean {
    return tailBytes(roomState) > Math.max(this.#limits.pageBytes, roomState.pages.bytes);
  }

  #peersOf(session: Session): [clientId: string, user: Json, presence: Json][] {
    const peers: [string, Json, Json][] = [];
    for (const peer of this.#sessions.values()) {
      if (peer === session || peer.presence === undefined) continue;
      peers.push([peer.client.clientId, peer.client.user, peer.presence]);
    }
    return peers;
  }

  #takeOutcomes(session: Session, flush: Flush | undefined): readonly WireOutcome[] {
    const executed = flush?.answers.get(session.client.clientId)?.answers ?? noOutcomes;
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
function shownSince({ history }: RoomState, rev: number, view: View): EncodedDelta | undefined {
  const delta = history.since(rev);
  return delta && view.delta(delta);
}

/** Bytes of the delta that brings the stored pages up to date. */
function tailBytes({ rev, checkpointRev, history }: RoomState): number {
  return rev === checkpointRev ? 0 : (history.since(checkpointRev)?.body.length ?? 0);
}
