import { TokenBucket } from "../../src/model/token-bucket.ts";
import type { DownFrame, ErrorFrame, Update, Welcome } from "../../src/protocol/down/down-frames.ts";
import { encodeHello } from "../../src/protocol/handshake/hello-text.ts";
import type { Json } from "../../src/schema/json.ts";
import { Outbox } from "../mutations/outbox.ts";
import type { MutationQueues } from "../mutations/mutation-queues.ts";
import type { PendingQueue } from "../mutations/pending-queue.ts";
import type { Replica } from "../replica/replica.ts";
import { AwaitedCatchUp, overdueMs } from "./awaited-catch-up.ts";
import { Connection } from "./connection.ts";
import type { Status } from "./connection-events.ts";
import { Divergence } from "./divergence.ts";
import { Failures } from "./failures.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameTraffic } from "./frame-traffic.ts";
import type { SyncEvents, SyncOptions } from "./sync-options.ts";

/** Keeps a replica in step with its room: says hello, takes frames in, asks again when one does not fit. */
export class Sync {
  readonly outbox: Outbox;
  readonly #options: SyncOptions;
  readonly #events: SyncEvents;
  readonly #replica: Replica;
  readonly #queues: MutationQueues;
  readonly #frameReader: FrameReader;
  readonly #connection: Connection;
  readonly #traffic: FrameTraffic;
  readonly #catchUp = new AwaitedCatchUp();
  /** The base has not taken what the room sent, or is not what the room has: only a snapshot will do. */
  #isMistaken = false;
  readonly #divergence: Divergence;
  /** Of catch-ups that the client asks for, and gaps that it follows. */
  readonly #corrections: TokenBucket;
  readonly #failures: Failures;
  /** Whether a hello has said which client this is and what base it has. */
  #hasGreeted = false;

  constructor(options: SyncOptions, replica: Replica, queues: MutationQueues, events: SyncEvents) {
    this.#options = options;
    this.#events = events;
    this.#replica = replica;
    this.#queues = queues;
    const { correctionsPerMinute, correctionsBurst, maxPartBytes } = options.limits;
    this.#corrections = new TokenBucket(correctionsPerMinute / 60, correctionsBurst);
    this.#failures = new Failures(options, events.failed, (willRetry) => {
      return this.closeReason === "closed" || (willRetry && this.status === "online");
    });
    this.#traffic = new FrameTraffic(options, (encoded) => this.#connection.send(encoded));
    this.#divergence = new Divergence(replica, options.runtime, {
      isConnected: () => this.#connection.hasSocket,
      diverged: (...diverged) => this.#diverged(...diverged),
    });
    this.outbox = new Outbox(queues, options.runtime, this.#traffic, options.sendIntervalMs);
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
        this.#failures.explain(code, `no connection to ${options.url}`, !isForEver, cause);
      },
      isBusy: () => queues.calls.length > 0,
      leaving: () => this.outbox.flush(),
      isStuck: (now) => this.#queue.isOverdue(now, overdueMs) || this.#catchUp.isLate(now),
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
    this.#divergence.cancel();
    this.outbox.close();
    this.#frameReader.reset();
  }

  disconnect(): void {
    this.#connection.disconnect("offline");
  }

  close(): void {
    this.#divergence.cancel();
    this.#connection.dispose();
  }

  async #hello(isRefused: boolean): Promise<string> {
    const { schemaVersion, names, token, restored } = this.#options;
    this.#leaveOff();
    if (restored !== undefined) await restored;
    this.#hasGreeted = true;
    const queue = this.#queue;
    const now = this.#options.runtime.now();
    const attempt = queue.nextAttempt(now);
    // Resets the state of the previous connection.
    this.#catchUp.greet(now);
    this.#divergence.reset();
    this.#traffic.takeUnacknowledged();
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
      return this.#failures.explain(code, message, willRetry, cause);
    }
    this.#events.advanced(this.#replica.advance(undefined, this.#queues.calls), told);
    this.connect();
  }

  /** The room was deleted. If the app connects again, the client begins with nothing, as a new room does. */
  #forgetBase(): void {
    this.#isMistaken = true;
    this.#events.based("gone");
  }

  #misread(error: unknown): void {
    this.#failures.report("invalid", String(error));
    this.#askAgain();
  }

  #takeIn(frame: DownFrame, bytes: number): void {
    this.#catchUp.hear(this.#options.runtime.now());
    this.#traffic.noteReceived(frame, bytes);
    try {
      this.#take(frame);
    } catch (error) {
      // What came does not go with what is here. Nothing of it was applied, and the whole state heals that.
      this.#failures.report("internal", String(error));
      this.#isMistaken = true;
      this.#askAgain();
    }
  }

  #askAgain(): void {
    if (this.#catchUp.tag === undefined) this.#resync();
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
        this.#traffic.welcome = frame;
        this.#queue.welcome(frame.knownSince);
        return this.#events.welcomed(frame);
      case "snapshot":
        this.#countPart(frame.content.length);
        this.#replica.receivePart(this.#traffic.welcome?.epoch ?? "", frame);
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
    return this.#queue.calls.length > 0 && idOf(user) !== idOf((this.#traffic.welcome ?? { user }).user);
  }

  #update(update: Update): void {
    const isReply = update.tag !== undefined;
    const awaited = this.#catchUp.tag;
    if (awaited !== undefined && update.tag !== awaited) return;
    const { delta } = update;
    if (delta !== undefined && update.parts === undefined && !this.#replica.fits(delta)) {
      return this.#resync();
    }
    if (isReply) this.#catchUp.tag = undefined;
    this.#advance(update);
    // The reply to the hello may have been of no use, and this one the reply to a resync.
    if (isReply && this.status !== "online") this.#caughtUp();
    else this.outbox.schedule(); // answers have made room for more
    if (update.presence !== undefined) this.#events.peers(update.presence);
    if (update.events !== undefined) this.#events.events(update.events);
    this.#divergence.compare(update);
    if (this.#queues.next()) this.greetAnew();
  }

  /** The copy is not what the room has. */
  #diverged(collections: readonly string[], rev: number, isHealed: boolean): void {
    const message = `at revision ${rev} the copy of ${collections.join(", ")} was not what the room has`;
    this.#failures.report("diverged", message, isHealed);
    if (!isHealed) return;
    this.#isMistaken = true;
    this.#resync(collections);
  }

  /** State first: the base at its new revision, without the calls that it now holds. */
  #advance({ tag, lastCallId, outcomes, parts, delta }: Update): void {
    const executed = lastCallId ?? 0;
    const pending = this.#queues.waiting(executed, outcomes);
    const isSnapshot = parts !== undefined && delta !== undefined;
    const changes = isSnapshot
      ? this.#replica.finishSnapshot(this.#traffic.welcome?.epoch ?? "", parts, delta, pending)
      : this.#replica.advance(delta, pending);
    if (isSnapshot) {
      this.#isMistaken = false;
      this.#catchUp.endParts();
      this.#divergence.cancel(); // it was of the base that the snapshot replaces
    }
    const told = lastCallId === undefined ? [] : this.#queue.answer(lastCallId, outcomes);
    if (tag !== undefined) this.#queue.resume(executed);
    this.#events.advanced(changes, told);
    if (isSnapshot) this.#events.based("replaced");
    else if (delta !== undefined) this.#events.based(delta);
  }

  #caughtUp(): void {
    const { welcome } = this.#traffic;
    if (welcome === undefined) throw new Error("an update came before the welcome");
    if (!this.#connection.hasSocket) return; // a listener that was told of the state has gone offline
    this.outbox.open(welcome.limits);
    if (this.#queues.isOwn) this.#connection.markOnline();
  }

  #refused({ code, message, clientReqId, retryAfterMs }: ErrorFrame): void {
    if (clientReqId !== undefined) {
      this.#queue.rewind(clientReqId);
      return this.outbox.pause(retryAfterMs);
    }
    if (code === "rate-limited") this.outbox.pauseEphemeral(retryAfterMs);
    this.#failures.report(code, message);
  }

  /** Throws when more has come than a room can hold. What is here of it is forgotten. */
  #countPart(bytes: number): void {
    const { limits, runtime } = this.#options;
    const { maxSnapshotBytes } = limits;
    if (this.#catchUp.admitsPart(bytes, maxSnapshotBytes, runtime.now())) return;
    this.#catchUp.endParts();
    this.#replica.forgetParts();
    throw new RangeError(`a snapshot has more than ${maxSnapshotBytes} bytes`);
  }

  /** False when the room has had this client correct itself too often: then it comes back later. */
  #mayCorrect(): boolean {
    if (this.#corrections.take(this.#options.runtime.now()) === 0) return true;
    this.#connection.restart(false);
    this.#failures.report("invalid", "what the room sends does not fit, again and again");
    return false;
  }

  /** Asks for a catch-up. What arrives before it is not taken in. */
  #resync(diverged?: readonly string[]): void {
    if (!this.#mayCorrect()) return;
    this.#traffic.send({
      kind: "resync",
      tag: this.#catchUp.askAgain(this.#options.runtime.now()),
      ...this.#position,
      confirmed: this.#queue.confirmed,
      ...(diverged && { diverged: [...diverged] }),
    });
  }
}

/** Names a person by what the room does, see `ownerOf`. */
function idOf(user: Json): string {
  return JSON.stringify((user as { id?: Json } | null)?.id ?? user);
}
