import type { Delta } from "../../src/protocol/encoding/delta.ts";
import { TokenBucket } from "../../src/model/token-bucket.ts";
import { encodeUp, frameBytes } from "../../src/protocol/codec.ts";
import type {
  DownFrame,
  ErrorFrame,
  PeerChange,
  PeersFrame,
  UpFrame,
  Update,
  Welcome,
  WireEvent,
} from "../../src/protocol/down/down-frames.ts";
import { encodeHello } from "../../src/protocol/handshake/hello-text.ts";
import type { NameTable } from "../../src/protocol/names.ts";
import type { Json } from "../../src/schema/json.ts";
import type { MutationQueues } from "../mutations/mutation-queues.ts";
import { Connection, type Status } from "./connection.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { RoomError } from "../errors.ts";
import { FrameReader } from "./frame-reader.ts";
import type { ClientLimits } from "../client-limits.ts";
import { Outbox } from "../mutations/outbox.ts";
import type { PendingQueue } from "../mutations/pending-queue.ts";
import { callListener, type Runtime } from "../platform.ts";
import type { Replica, ViewChanges } from "../replica/replica.ts";
import type { Transport } from "./transport.ts";

/** A call or a catch-up that has waited this long for its answer means that the connection is not what it seems. */
const overdueMs = 10_000;

/** For how long a byte of a snapshot counts as progress: a room that sends less than 1 kB a second never ends a catch-up. */
const progressMsPerByte = 1;

/** Codes of which the diagnosis knows more than the room says. */
const diagnosed: ReadonlySet<string> = new Set(["unreachable", "unsupported", "forbidden", "invalid"]);

/** Errors that pass which the app is told at once, and how many a second from then on: a listener has to keep up with a broken room. */
const errorsBurst = 20;
const errorsPerSecond = 0.1;

/** Of what the room lets be unacknowledged: an acknowledgement is due. */
const ackShare = 0.25;

/** One frame, as it went by. */
export interface Traffic {
  /** Whether this client sent it or received it. */
  readonly direction: "up" | "down";
  /** The frame's kind: `push`, `update`, …; the update that ends a snapshot is of its kind. */
  readonly kind: string;
  /** Of the frame, without what the WebSocket adds. */
  readonly bytes: number;
  /** Revision that the delta in an update begins at. */
  readonly from?: number;
  /** Revision that it ends at. */
  readonly to?: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** How much of a state that is being loaded is here, in parts of about 64 KB. */
export interface Progress {
  /** Parts that are here. */
  readonly received: number;
  /** Parts in all, as far as the room can tell: it may change while the parts come. */
  readonly total: number;
}

export interface SyncOptions {
  readonly url: string;
  readonly transport: Transport;
  readonly runtime: Runtime;
  readonly schemaVersion: number;
  /** Of the definition. */
  readonly names: NameTable;
  /** Settles when what is kept has been read, so that the first hello can tell of it. */
  readonly restored: Promise<unknown> | undefined;
  readonly token: ((isRefused: boolean) => string | Promise<string>) | undefined;
  readonly limits: ClientLimits;
  /** How long a page is hidden before it disconnects. */
  readonly hiddenMs?: number | false | undefined;
  /** What is made within this time goes in one turn. */
  readonly sendIntervalMs?: number | undefined;
  readonly onTraffic: ((traffic: Traffic) => void) | undefined;
  /** Finds out why no socket opens, or why the room refuses; left out where sockets come from elsewhere. */
  readonly diagnose?: ((url: string, code: string, cause: unknown) => Promise<Diagnosis>) | undefined;
}

/** How the base has changed. `gone`: the room was deleted, and its base must not be kept. */
export type BaseChange = Delta | "replaced" | "gone";

/** What the app's side of the room is told, in the order of the members within one frame. */
export interface SyncEvents {
  readonly status: (status: Status) => void;
  /** The room has said who this is. */
  readonly welcomed: (welcome: Welcome) => void;
  /** The state, the revision or what is pending is another. `told` are the answers that calls got. */
  readonly advanced: (changes: ViewChanges, told: readonly (() => void)[]) => void;
  readonly based: (change: BaseChange) => void;
  readonly allPeers: (peers: PeersFrame["peers"]) => void;
  readonly peers: (changes: readonly PeerChange[]) => void;
  readonly events: (events: readonly WireEvent[]) => void;
  /** A part of a snapshot is here. */
  readonly progress: (progress: Progress) => void;
  readonly failed: (error: RoomError) => void;
}

/** Keeps a replica in step with its room: says hello, takes frames in, asks again when one does not fit. */
export class Sync {
  readonly outbox: Outbox;
  readonly #options: SyncOptions;
  readonly #events: SyncEvents;
  readonly #replica: Replica;
  readonly #queues: MutationQueues;
  readonly #frameReader: FrameReader;
  readonly #connection: Connection;
  #welcome: Welcome | undefined;
  /** Tag of the catch-up that is on its way; deltas before it are of no use. */
  #awaitedTag: number | undefined = 0;
  #lastTag = 0;
  /** Until when the awaited catch-up has made progress. Undefined before the room has said anything on this connection. */
  #progressAt: number | undefined;
  /** When the hello was made. */
  #greetedAt = 0;
  #unacknowledgedBytes = 0;
  #unacknowledgedFrames = 0;
  /** The base has not taken what the room sent, or is not what the room has: only a snapshot will do. */
  #isMistaken = false;
  /** Whether the room's checksums are compared with the base's. */
  #isComparing = true;
  /** They differed, and have not been the same since. */
  #isHealing = false;
  #cancelComparison = () => {};
  /** Bytes of the parts that have come since the last snapshot that was whole. */
  #partBytes = 0;
  /** Of catch-ups that the client asks for, and gaps that it follows. */
  readonly #corrections: TokenBucket;
  /** Of errors that the app is told. */
  readonly #errors: TokenBucket;
  /** Whether a hello has said which client this is and what base it has. */
  #hasGreeted = false;

  constructor(options: SyncOptions, replica: Replica, queues: MutationQueues, events: SyncEvents) {
    this.#options = options;
    this.#events = events;
    this.#replica = replica;
    this.#queues = queues;
    const { correctionsPerMinute, correctionsBurst, maxPartBytes } = options.limits;
    const at = options.runtime.now();
    this.#corrections = new TokenBucket(correctionsPerMinute / 60, correctionsBurst, {
      tokens: correctionsBurst,
      at,
    });
    this.#errors = new TokenBucket(errorsPerSecond, errorsBurst, { tokens: errorsBurst, at });
    const uplink = {
      send: (frame: UpFrame) => this.#sendFrame(frame),
      takeReceived: () => this.#takeUnacknowledged(),
    };
    this.outbox = new Outbox(queues, options.runtime, uplink, options.sendIntervalMs);
    this.#frameReader = new FrameReader(options.runtime.inflate, maxPartBytes, {
      take: (frame, bytes) => this.#takeIn(frame, bytes),
      misread: (error) => this.#misread(error),
    });
    this.#connection = new Connection(options.url, options.transport, options.runtime, options.hiddenMs, {
      hello: (isRefused) => this.#hello(isRefused),
      message: (data) => this.#frameReader.receive(data),
      status: (status) => this.#statusChanged(status),
      refused: (code, willRetry, cause) => this.#turnedAway(code, willRetry, cause),
      unreachable: (isForEver, cause) => {
        const code = isForEver ? "unsupported" : "unreachable";
        this.#explain(code, `no connection to ${options.url}`, !isForEver, cause);
      },
      isBusy: () => queues.calls.length > 0,
      leaving: () => this.outbox.flush(),
      isStuck: (now) => this.#queue.isOverdue(now, overdueMs) || this.#isLeftWaiting(now),
    });
  }

  get status(): Status {
    return this.#connection.status;
  }

  get closeReason(): string | undefined {
    return this.#connection.closeReason;
  }

  connect(): void {
    this.#connection.connect();
  }

  /** A call was made. */
  send(): void {
    this.#connection.stir();
    this.outbox.schedule();
  }

  /**
   * Connects anew, since the hello that has left names another client or another base than the page has now: a reply to
   * it may be older than the base. What still comes of the former connection is not of this one.
   */
  greetAnew(): void {
    this.#leaveOff();
    this.#connection.stir();
    if (this.#hasGreeted) this.#connection.restart(true);
  }

  /** Whatever an earlier connection brought or was to take, it is over. */
  #leaveOff(): void {
    this.#cancelComparison();
    this.outbox.close();
    this.#frameReader.reset();
  }

  disconnect(): void {
    this.#connection.disconnect("offline");
  }

  close(): void {
    this.#cancelComparison();
    this.#connection.dispose();
  }

  async #hello(isRefused: boolean): Promise<string> {
    const { schemaVersion, names, token, restored } = this.#options;
    this.#leaveOff();
    if (restored !== undefined) await restored;
    this.#hasGreeted = true;
    const queue = this.#queue;
    const attempt = queue.nextAttempt(this.#options.runtime.now());
    // Whatever an earlier connection awaited or owed, this one begins with its own reply.
    this.#awaitedTag = 0;
    this.#isComparing = true;
    this.#isHealing = false;
    this.#greetedAt = this.#options.runtime.now();
    this.#progressAt = undefined;
    this.#takeUnacknowledged();
    const { resumeSnapshot } = this.#replica;
    return encodeHello({
      secret: queue.secret,
      schema: schemaVersion,
      ...this.#position,
      confirmed: queue.confirmed,
      knownSince: queue.introduction.knownSince,
      attempt,
      names: names.hash,
      acceptsDeflate: this.#frameReader.acceptsDeflate,
      ...(resumeSnapshot && { resumeSnapshot }),
      ...(token && { token: await token(isRefused) }),
    });
  }

  get #queue(): PendingQueue {
    return this.#queues.current;
  }

  #statusChanged(status: Status): void {
    if (status !== "online") this.outbox.close();
    this.#events.status(status);
  }

  #turnedAway(code: string, willRetry: boolean, cause: unknown): void {
    // With a cause the app's `token` has failed, and no room was asked. A template makes a text of whatever was thrown.
    const message = cause
      ? `token() has failed: ${cause as string}`
      : `the room has closed the connection: ${code}`;
    const told = willRetry ? undefined : this.#queues.putAside?.(code, message);
    if (told === undefined) {
      if (code === "gone") this.#forgetBase();
      return this.#explain(code, message, willRetry, cause);
    }
    this.#events.advanced(this.#replica.advance(undefined, this.#queues.calls), told);
    this.connect();
  }

  /** Tells the app what went wrong, and, where that can be found out, why. */
  #explain(code: string, message: string, willRetry: boolean, cause: unknown): void {
    const { diagnose, url } = this.#options;
    const notify = (found?: Diagnosis) => {
      if (this.closeReason === "closed" || (willRetry && this.status === "online")) return; // it is over
      this.#fail(code, found ? `${message}: ${found.hint}` : message, willRetry, found?.cause ?? cause);
    };
    if (diagnose === undefined || !diagnosed.has(code)) return notify();
    void diagnose(url, code, cause).then(notify, () => notify());
  }

  /** The room was deleted. If the app connects again, the client begins with nothing, as a new room does. */
  #forgetBase(): void {
    this.#isMistaken = true;
    this.#events.based("gone");
  }

  #misread(error: unknown): void {
    this.#fail("invalid", String(error));
    this.#askAgain();
  }

  #takeIn(frame: DownFrame, bytes: number): void {
    this.#noteReceived(frame, bytes);
    try {
      this.#take(frame);
    } catch (error) {
      // What came does not go with what is here. Nothing of it was applied, and the whole state heals that.
      this.#fail("internal", String(error));
      this.#isMistaken = true;
      this.#askAgain();
    }
  }

  /** Whether a catch-up is awaited and makes no progress, whatever else the room sends. */
  #isLeftWaiting(now: number): boolean {
    return (
      this.#awaitedTag !== undefined && Math.abs(now - (this.#progressAt ?? this.#greetedAt)) > overdueMs
    );
  }

  #askAgain(): void {
    if (this.#awaitedTag === undefined) this.#resync();
    else this.#connection.restart(false);
  }

  /** What the room may build upon. */
  get #position(): { epoch: string | null; rev: number } {
    if (this.#isMistaken) return { epoch: null, rev: 0 };
    return { epoch: this.#replica.epoch, rev: this.#replica.rev };
  }

  #take(frame: DownFrame): void {
    switch (frame.kind) {
      case "welcome":
        if (this.#isOfAnother(frame)) return this.#connection.refuse("id-conflict");
        if (!Object.values(frame.limits).every((limit) => limit > 0 && limit < Infinity))
          throw new RangeError(
            `the room has a limit that no client can keep: ${JSON.stringify(frame.limits)}`,
          );
        this.#welcome = frame;
        this.#queue.welcome(frame.knownSince);
        return this.#events.welcomed(frame);
      case "snapshot":
        this.#countPart(frame.content.length);
        this.#replica.receivePart(this.#welcome?.epoch ?? "", frame);
        return this.#events.progress({ received: frame.part + 1, total: frame.part + 1 + frame.left });
      case "update":
        return this.#update(frame);
      case "peers":
        return this.#events.allPeers(frame.peers);
      case "gap":
        if (!this.#mayCorrect()) return;
        this.#queue.rewind(frame.expected);
        return this.outbox.schedule();
      case "error":
        return this.#refused(frame);
      default:
        return frame satisfies never;
    }
  }

  /** Whether calls wait that somebody else has made: nobody is to be taken for their author. */
  #isOfAnother({ user }: Welcome): boolean {
    return this.#queue.calls.length > 0 && idOf(user) !== idOf((this.#welcome ?? { user }).user);
  }

  #update(update: Update): void {
    const isReply = update.tag !== undefined;
    if (this.#awaitedTag !== undefined && update.tag !== this.#awaitedTag) return;
    const { delta } = update;
    if (delta !== undefined && update.parts === undefined && !this.#replica.fits(delta)) {
      return this.#resync();
    }
    if (isReply) this.#awaitedTag = undefined;
    this.#advance(update);
    // The reply to the hello may have been of no use, and this one the reply to a resync.
    if (isReply && this.status !== "online") this.#caughtUp();
    else this.outbox.schedule(); // answers have made room for more
    if (update.presence !== undefined) this.#events.peers(update.presence);
    if (update.events !== undefined) this.#events.events(update.events);
    this.#compare(update);
    if (this.#queues.next()) this.greetAnew();
  }

  /**
   * Looks whether the base is what the room has at the same revision. To add up a state that has just come takes as long as to
   * read it, so the client does that in between other things. Updates that come meanwhile do not end the comparison: the room
   * may send no other checksums for as long as it is quiet.
   */
  #compare({ delta, checksums }: Update): void {
    const { rev } = this.#replica;
    if (checksums === undefined || !this.#isComparing || (delta !== undefined && delta.to !== rev)) return;
    this.#cancelComparison();
    const compareSome = this.#replica.comparison(checksums);
    const goOn = () => {
      if (!this.#connection.hasSocket) return;
      const diverged = compareSome();
      if (diverged === undefined) this.#cancelComparison = this.#options.runtime.startTimer(goOn, 0);
      else if (diverged.length > 0) this.#heal(diverged, rev);
      else this.#isHealing = false;
    };
    goOn();
  }

  /** Takes the state anew. Where what was taken anew differs too, another would do no better until the next connection. */
  #heal(diverged: readonly string[], rev: number): void {
    const message = `at revision ${rev} the copy of ${diverged.join(", ")} was not what the room has`;
    this.#isComparing = !this.#isHealing;
    this.#fail("diverged", message, this.#isComparing);
    if (!this.#isComparing) return;
    this.#isHealing = true;
    this.#isMistaken = true;
    this.#resync(diverged);
  }

  /** State first: the base at its new revision, without the calls that it now holds. */
  #advance({ tag, lastCallId, outcomes, parts, delta }: Update): void {
    const executed = lastCallId ?? 0;
    const pending = this.#queues.waiting(executed, outcomes);
    const isSnapshot = parts !== undefined && delta !== undefined;
    const changes = isSnapshot
      ? this.#replica.finishSnapshot(this.#welcome?.epoch ?? "", parts, delta, pending)
      : this.#replica.advance(delta, pending);
    if (isSnapshot) {
      this.#isMistaken = false;
      this.#partBytes = 0;
      this.#cancelComparison(); // it was of the base that the snapshot replaces
    }
    const told = lastCallId === undefined ? [] : this.#queue.answer(lastCallId, outcomes);
    if (tag !== undefined) this.#queue.resume(executed);
    this.#events.advanced(changes, told);
    if (isSnapshot) this.#events.based("replaced");
    else if (delta !== undefined) this.#events.based(delta);
  }

  #caughtUp(): void {
    if (this.#welcome === undefined) throw new Error("an update came before the welcome");
    if (!this.#connection.hasSocket) return; // a listener that was told of the state has gone offline
    this.outbox.open(this.#welcome.limits);
    if (this.#queues.isOwn) this.#connection.markOnline();
  }

  #refused({ code, message, clientReqId, retryAfterMs }: ErrorFrame): void {
    if (clientReqId !== undefined) {
      this.#queue.rewind(clientReqId);
      return this.outbox.pause(retryAfterMs);
    }
    if (code === "rate-limited") this.outbox.pauseEphemeral(retryAfterMs);
    this.#fail(code, message);
  }

  /** Throws when more has come than a room can hold. What is here of it is forgotten. */
  #countPart(bytes: number): void {
    const now = this.#options.runtime.now();
    this.#progressAt = Math.min(now, (this.#progressAt ?? now) + bytes * progressMsPerByte);
    this.#partBytes += bytes;
    const { maxSnapshotBytes } = this.#options.limits;
    if (this.#partBytes <= maxSnapshotBytes) return;
    this.#partBytes = 0;
    this.#replica.forgetParts();
    throw new RangeError(`a snapshot has more than ${maxSnapshotBytes} bytes`);
  }

  /** False when the room has had this client correct itself too often: then it comes back later. */
  #mayCorrect(): boolean {
    if (this.#corrections.take(this.#options.runtime.now()) === 0) return true;
    this.#connection.restart(false);
    this.#fail("invalid", "what the room sends does not fit, again and again");
    return false;
  }

  /** Asks for a catch-up. What arrives before it is not taken in. */
  #resync(diverged?: readonly string[]): void {
    if (!this.#mayCorrect()) return;
    // A catch-up that did not fit was no progress.
    if (this.#awaitedTag === undefined) this.#progressAt = this.#options.runtime.now();
    this.#awaitedTag = ++this.#lastTag;
    this.#sendFrame({
      kind: "resync",
      tag: this.#awaitedTag,
      ...this.#position,
      confirmed: this.#queue.confirmed,
      ...(diverged && { diverged: [...diverged] }),
    });
  }

  #noteReceived(frame: DownFrame, bytes: number): void {
    this.#progressAt ??= this.#options.runtime.now();
    const { delta, parts } = frame.kind === "update" ? frame : {};
    this.#notifyTraffic({
      direction: "down",
      kind: parts === undefined ? frame.kind : "snapshot",
      bytes,
      ...(delta && { from: delta.from, to: delta.to }),
      at: this.#options.runtime.now(),
    });
    this.#unacknowledgedBytes += bytes;
    this.#unacknowledgedFrames += 1;
    const { maxUnacknowledgedBytes = Infinity, maxUnacknowledgedFrames = Infinity } =
      this.#welcome?.limits ?? {};
    const isDue =
      this.#unacknowledgedBytes >= maxUnacknowledgedBytes * ackShare ||
      this.#unacknowledgedFrames >= maxUnacknowledgedFrames * ackShare;
    if (isDue) this.#sendFrame({ kind: "ack", bytes: this.#takeUnacknowledged() });
  }

  /** Bytes that have come since the last time, for the room to know how far behind this client is. */
  #takeUnacknowledged(): number {
    const bytes = this.#unacknowledgedBytes;
    this.#unacknowledgedBytes = 0;
    this.#unacknowledgedFrames = 0;
    return bytes;
  }

  #sendFrame(frame: UpFrame): boolean {
    const encoded = this.#encode(frame);
    if (!this.#connection.send(encoded)) return false;
    this.#notifyTraffic({
      direction: "up",
      kind: frame.kind,
      bytes: frameBytes(encoded),
      at: this.#options.runtime.now(),
    });
    return true;
  }

  #encode(frame: UpFrame): string | Uint8Array {
    const { acceptsBinary = false, limits } = this.#welcome ?? {};
    const encoded = encodeUp(frame, acceptsBinary ? this.#options.names : undefined);
    // The outbox has measured the text, and a few numbers are longer as bytes.
    const isTooLong = limits !== undefined && frameBytes(encoded) > limits.maxFrameBytes;
    return isTooLong ? encodeUp(frame, undefined) : encoded;
  }

  #notifyTraffic(traffic: Traffic): void {
    const { onTraffic } = this.#options;
    if (onTraffic !== undefined) callListener(() => onTraffic(traffic));
  }

  #fail(code: string, message: string, willRetry = true, cause?: unknown): void {
    if (willRetry && this.#errors.take(this.#options.runtime.now()) > 0) return;
    this.#events.failed(new RoomError(code, message, willRetry, cause));
  }
}

/** Names a person by what the room does, see `ownerOf`. */
function idOf(user: Json): string {
  return JSON.stringify((user as { id?: Json } | null)?.id ?? user);
}
