import type { Caller } from "../../model/call.ts";
import type { Limits } from "../limits.ts";
import { ownerOf } from "../owners/owner.ts";
import type { Holder } from "../owners/shares.ts";
import type { View } from "../visibility/view.ts";
import { encodeText, frameBytes } from "../../protocol/codec.ts";
import type { WireOutcome } from "../../protocol/down/down-frames.ts";
import type { Json } from "../../schema/json.ts";
import type { Feed } from "./feed.ts";
import type { SendBudget } from "./send-budget.ts";
import { SendWindow } from "./send-window.ts";
import type { SessionRateLimits, RateLimitState } from "./session-rate-limits.ts";
import { Heartbeat, type Asked } from "./heartbeat.ts";

/** The little that a room needs of a socket. */
export interface Socket {
  send(frame: string | Uint8Array): void;
  close(closeCode: number, reason: string): void;
  /** When a ping was last answered over it, in milliseconds since the epoch; 0 for never. Known over hibernation. */
  pingedAt(): number;
  /** Keeps `attachment` over hibernation. */
  save(attachment: Attachment): void;
}

/** A session as it survives hibernation, in the socket's attachment of at most 16 KB. */
export interface Attachment {
  readonly client: Caller;
  /** Until when the session may last, in milliseconds since the epoch; left out for ever. */
  readonly expiresAt?: number;
  /** As its view names it. */
  readonly epoch: string;
  /** Of the hello: a session with a lower one is an older attempt that has arrived late. */
  readonly attempt: number;
  /** Version of the app's schema that it joined with. */
  readonly schema: number;
  /** Hash of the names that its pushes may use as numbers, null for none. */
  readonly names: number | null;
  /** Whether it takes snapshot parts compressed. */
  readonly acceptsDeflate: boolean;
  /** Left out when this session has announced none. */
  readonly presence?: Json;
  readonly rateLimits: RateLimitState;
  /** What it was told that it may owe. */
  readonly sendBudgetBytes: number;
  /** Left out unless it should have acknowledged something since then. */
  readonly overdueSince?: number;
  readonly feed: Feed;
  /** Whether it may be sent what it lacks, and waits for the next flush only. */
  readonly isDue: boolean;
  /** Left out unless it has been silent for long. */
  readonly asked?: Asked;
}

/** What a session needs of its room. */
export interface SessionRoom {
  readonly limits: Limits;
  readonly sendBudget: SendBudget<Session>;
  readonly now: () => number;
  /** The meter of a session, which shares what is its user's with the user's other sessions. */
  readonly meterOf: (holder: Holder, state: RateLimitState) => SessionRateLimits;
  /** Told when a session should have acknowledged something. */
  readonly overdue: (session: Session) => void;
}

/** Of what may be unacknowledged: below it a session that was held back goes on. */
const resumeShare = 0.5;
/** Of `maxIdleMs`: by so much a session that is saved may be older than it is. */
const unsavedIdleShare = 0.1;

/** One WebSocket of one client. */
export class Session {
  readonly client: Caller;
  /** As shared limits count it. */
  readonly holder: Holder;
  /** Until when it may last; `Infinity` for ever. */
  readonly expiresAt: number;
  readonly epoch: string;
  readonly attempt: number;
  readonly schema: number;
  readonly names: number | null;
  readonly acceptsDeflate: boolean;
  readonly socket: Socket;
  /** What of the room it is shown. */
  readonly view: View;
  readonly rateLimits: SessionRateLimits;
  readonly heartbeat: Heartbeat;
  /** What it was told that it may owe: it acknowledges at a quarter of that. */
  readonly sendBudgetBytes: number;
  readonly #room: SessionRoom;
  /** Outcomes of calls that were executed before and sent again; they leave with the next flush. */
  readonly replies = new Map<number, WireOutcome>();
  /** The client was told to send again from this call on; whatever is on its way above it needs no other answer. */
  expected: number | undefined;
  /** Until when the client was told to send no calls, because the outcomes of all clients are too many. */
  pausedUntil = Number.NEGATIVE_INFINITY;
  /** It goes on in spite of refusals, and is to be closed. */
  isAbusive = false;
  /** Revision up to which this session was sent everything. */
  lastSentRev: number;
  #presence: Json | undefined;
  #feed: Feed;
  #isDue: boolean;
  readonly #sendWindow: SendWindow;
  #changed: boolean;
  /** The meter as it was last saved. */
  #saved: RateLimitState;

  private constructor(
    socket: Socket,
    attachment: Attachment,
    view: View,
    room: SessionRoom,
    lastSentRev: number,
    changed: boolean,
  ) {
    this.socket = socket;
    this.view = view;
    this.#room = room;
    this.client = attachment.client;
    this.holder = { clientId: this.client.clientId, owner: ownerOf(this.client.user) };
    this.expiresAt = attachment.expiresAt ?? Infinity;
    this.epoch = attachment.epoch;
    this.attempt = attachment.attempt;
    this.schema = attachment.schema;
    this.names = attachment.names;
    this.acceptsDeflate = attachment.acceptsDeflate;
    this.rateLimits = room.meterOf(this.holder, attachment.rateLimits);
    this.sendBudgetBytes = attachment.sendBudgetBytes;
    this.#sendWindow = new SendWindow(room, this.holder, attachment.sendBudgetBytes, attachment.overdueSince);
    // Tokens are counted when a message comes, so then it was heard.
    this.heartbeat = new Heartbeat(() => socket.pingedAt(), this.rateLimits.heardAt, attachment.asked);
    this.#presence = attachment.presence;
    this.#feed = attachment.feed;
    this.#isDue = attachment.isDue;
    this.lastSentRev = lastSentRev;
    this.#changed = changed;
    this.#saved = attachment.rateLimits;
  }

  static open(
    socket: Socket,
    who: Omit<Attachment, "presence" | "isDue" | "asked" | "overdueSince">,
    view: View,
    room: SessionRoom,
  ): Session {
    return new Session(socket, { ...who, isDue: false }, view, room, 0, true);
  }

  /** After hibernation: a session that was live has been sent everything up to `rev`. */
  static restore(
    socket: Socket,
    attachment: Attachment,
    view: View,
    room: SessionRoom,
    rev: number,
  ): Session {
    return new Session(socket, attachment, view, room, rev, false);
  }

  /** Whether its pushes may be bytes. */
  get acceptsBinary(): boolean {
    return this.names !== null;
  }

  get feed(): Feed {
    return this.#feed;
  }

  set feed(feed: Feed) {
    this.#feed = feed;
    this.#changed = true;
  }

  /** Whether it waits for the next flush, to be sent what it lacks. */
  get isDue(): boolean {
    return this.#isDue;
  }

  set isDue(isDue: boolean) {
    this.#isDue = isDue;
    this.#changed = true;
  }

  get isLive(): boolean {
    return this.#feed.kind === "live";
  }

  /** Whether it lacks something that it may be sent. */
  get isWaiting(): boolean {
    return !this.isLive && !this.owesMoreThan(resumeShare);
  }

  /** What this client tells of itself; undefined until it has. */
  get presence(): Json | undefined {
    return this.#presence;
  }

  set presence(presence: Json | undefined) {
    this.#presence = presence;
    this.#changed = true;
  }

  /** A message has come. */
  hear(now: number): void {
    if (this.heartbeat.hear(now)) this.#changed = true;
  }

  /** Notes that it was asked whether it is there. */
  ask(now: number): void {
    this.heartbeat.ask(now);
    this.#changed = true;
  }

  get unacknowledgedFrames(): number {
    return this.#sendWindow.frames;
  }

  /** Since when it should have acknowledged something; undefined for one that owes little, or waits for others. */
  get overdueSince(): number | undefined {
    return this.#isDue ? undefined : this.#sendWindow.overdueSince;
  }

  /** Whether more was sent than `share` of what may be unacknowledged. */
  owesMoreThan(share: number): boolean {
    return this.#sendWindow.owesMoreThan(share);
  }

  /** Whether a frame of so many bytes may be sent, of those that go to all at once. */
  bears(bytes: number): boolean {
    return this.#sendWindow.bears(bytes);
  }

  /** Sends no more updates until it has acknowledged something; or until others have, when it is not the one who owes too much. */
  holdBack(): void {
    this.feed = { kind: "behind", rev: this.lastSentRev };
    if (!this.owesMoreThan(1)) {
      this.isDue = true;
      this.#room.sendBudget.waiting.add(this);
    }
    this.save();
  }

  /** What it owes is of no interest any more. */
  end(): void {
    this.#sendWindow.clear();
    this.#room.sendBudget.waiting.delete(this);
  }

  /** Tells the client that nothing from `clientReqId` on has been executed. */
  expect(clientReqId: number): void {
    this.expected = clientReqId;
    this.send(encodeText({ kind: "gap", expected: clientReqId }));
  }

  /** Drops the replies to calls above `lastCallId`: the batch that they belonged to is lost. */
  dropReplies(lastCallId: number): void {
    for (const clientReqId of this.replies.keys())
      if (clientReqId > lastCallId) this.replies.delete(clientReqId);
  }

  send(frame: string | Uint8Array): void {
    const bytes = frameBytes(frame);
    this.#sendWindow.add(bytes);
    // What it came for or has asked for. What it lags behind is not its choice.
    if (this.#feed.kind === "joining" || this.#feed.kind === "snapshot")
      this.rateLimits.catchUpBytes.take(this.#room.now(), 0, bytes);
    this.socket.send(frame);
    if (this.#sendWindow.beginOverdue()) this.#room.overdue(this);
  }

  /** The client says that it has received `bytes` more. What was sent before hibernation is not counted any more. */
  acknowledge(bytes: number): void {
    if (this.#sendWindow.acknowledge(bytes)) this.#changed ||= !this.isLive;
  }

  /** Saves what has changed since the last time. */
  save(): void {
    if (!this.#changed && !this.rateLimits.isLessThan(this.#saved) && !this.#isLongUnsaved) return;
    this.#changed = false;
    this.#saved = this.rateLimits.state;
    const { asked } = this.heartbeat;
    const { overdueSince } = this.#sendWindow;
    this.socket.save({
      client: this.client,
      ...(Number.isFinite(this.expiresAt) && { expiresAt: this.expiresAt }),
      epoch: this.epoch,
      attempt: this.attempt,
      schema: this.schema,
      names: this.names,
      acceptsDeflate: this.acceptsDeflate,
      ...(this.#presence !== undefined && { presence: this.#presence }),
      rateLimits: this.#saved,
      sendBudgetBytes: this.sendBudgetBytes,
      ...(overdueSince !== undefined && { overdueSince }),
      feed: this.#feed,
      isDue: this.#isDue,
      ...(asked && { asked }),
    });
  }

  /** Whether the room would take it for idle too early after hibernation. */
  get #isLongUnsaved(): boolean {
    const { maxIdleMs } = this.#room.limits;
    const { calls, ephemeral = calls } = this.#saved;
    return this.rateLimits.activeAt - Math.max(calls.at, ephemeral.at) > unsavedIdleShare * maxIdleMs;
  }
}
