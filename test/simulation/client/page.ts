import { clientIdOf } from "../../../src/protocol/handshake/client-secret.ts";
import { ClientRoom } from "../../../client/client-room.ts";
import type { RejectedError, RoomError } from "../../../client/errors.ts";
import type { Call } from "../../../client/room.ts";
import { codes } from "../../../src/protocol/codes.ts";
import type { UpFrame } from "../../../src/protocol/down/down-frames.ts";
import { readFrame } from "../../support/frames/decoded-frames.ts";
import { stateOf, type MutatorName, type PlainRecord } from "../board.ts";
import { tokenOf, type Person } from "./browser-storage.ts";
import type { Disk } from "../platform/disk.ts";
import type { Raw } from "./sent-frames.ts";
import type { Keeping } from "./stored-page.ts";
import type { Ledger } from "../judges/ledger.ts";
import { ProtocolCopy } from "../judges/protocol-copy.ts";
import { differenceOf } from "../judges/plain-state.ts";
import { predict } from "../judges/prediction.ts";
import type { Stage } from "../stage.ts";
import { Wire, type PageEnd, type RoomEnd } from "../platform/wire.ts";
import { fakeCompressed } from "../platform/fake-compression.ts";

/** Where a page is, and what it starts with. */
export interface PageOptions {
  readonly stage: Stage;
  readonly disk: Disk;
  readonly room: RoomEnd;
  readonly name: string;
  readonly secret: string;
  readonly person: Person;
  /** Makes what keeps its room; undefined where nothing is kept. */
  readonly keeping: ((page: Page) => Keeping) | undefined;
  /** Tells of every call that is settled, `rev` undefined for a rejected one; of edits that another page has made no token is known. */
  readonly settled: (page: Page, token: string | undefined, rev: number | undefined, code: string) => void;
}

type PushFrame = Extract<UpFrame, { kind: "push" }>;

/** What a client may complain of, and still be right; a shared one of `replaced` as well. */
const bearable = new Set(["epoch-changed", "rate-limited", "too-old", "room-full", "timeout", "unreachable"]);

/** One page load: a client, its network and clock, and what is known of it from outside. */
export class Page implements PageEnd {
  readonly name: string;
  readonly clientId: string;
  readonly secret: string;
  /** Client ids belong to one person. */
  readonly identity: Person;
  readonly keeping: Keeping | undefined;
  readonly client: ClientRoom;
  handshakeDelayMs = 0;
  isUnreachable = false;
  isMute = false;
  /** How wrong the page's clock is, in milliseconds. */
  skewMs = 0;
  /** Something has happened in it since it was judged. */
  isTouched = false;
  wire: Wire | undefined;
  wake: () => void = () => {};
  presence: number;
  readonly #options: PageOptions;
  readonly #protocolCopy: ProtocolCopy;
  /** By client id. */
  readonly #newestSentIds = new Map<string, number>();
  /** The events that it was told of. */
  readonly #waves = new Set<string>();
  /** The shapes, as an observer has them. */
  readonly #observed = new Map<string, PlainRecord>();
  #isGone = false;
  #wires = 0;

  constructor(options: PageOptions) {
    const { stage, secret } = options;
    this.#options = options;
    this.name = options.name;
    this.secret = secret;
    this.clientId = clientIdOf(secret);
    this.identity = options.person;
    this.keeping = options.keeping?.(this);
    this.presence = stage.dice.between(1, 1_000_000);
    this.#protocolCopy = new ProtocolCopy(stage, options.disk.histories, stage.ownerOf(options.person));
    this.client = new ClientRoom({
      url: "ws://room",
      definition: stage.board,
      secret,
      transport: (_, protocols) => this.#connect(protocols),
      runtime: {
        now: () => stage.clock.now + this.skewMs,
        startTimer: (run, delayMs) =>
          stage.clock.after(delayMs, () => {
            if (!this.#isGone) run();
          }),
        random: () => stage.dice.next(),
        inflate: (bytes) => Promise.resolve(fakeCompressed(bytes)),
        onPage: ({ wake }) => {
          this.wake = wake;
          return () => void (this.wake = () => {});
        },
      },
      token: undefined,
      onTraffic: ({ direction, kind }) => {
        if (direction === "up") stage.figures.count(`frames up: ${kind}`);
      },
      presence: { at: this.presence },
      persist: this.keeping?.persist,
    });
    this.#watchShapes();
    this.client.onEvent("wave", (payload) => this.#waved((payload as { token: string }).token));
    this.client.on("error", (error) => this.#complained(error));
    this.client.on("reject", (error) => this.#rejected(error));
  }

  /** Whether it is the page that it was: not closed, reloaded or crashed. */
  get isHere(): boolean {
    return !this.#isGone;
  }

  get isReady(): boolean {
    return this.#protocolCopy.epoch !== null;
  }

  /** The history that it has seen. */
  get ledger(): Ledger | undefined {
    return this.#options.disk.histories.of(this.#protocolCopy.epoch ?? "");
  }

  // ── what its user does ─────────────────────────────────────────────────────────────────────────────────────

  call(type: MutatorName, payload: { token: string; key: string; id?: string }): void {
    this.#watch(payload.token, this.client.mutate[type]?.(payload));
  }

  /** A direct edit. It may be empty: then nothing is sent. */
  edit(token: string, edit: Parameters<ClientRoom["transact"]>[0]): void {
    this.#watch(token, this.client.transact(edit));
  }

  /** Acknowledges again, and what it has kept. */
  speak(): void {
    this.isMute = false;
    this.wire?.acknowledgeWithheld();
  }

  /** The page shows a base that was kept. */
  restored({ epoch, rev }: { readonly epoch: string; readonly rev: number }): void {
    this.#protocolCopy.restore(epoch, rev);
    this.isTouched = true;
  }

  /** The page is gone without a word. */
  vanish(roomHears: boolean): void {
    this.#isGone = true;
    this.keeping?.stop();
    this.wire?.abandon();
    this.wire?.cut(undefined, roomHears ? this.#options.stage.dice.between(0, 500) : undefined, true);
  }

  close(): void {
    this.client.close();
    this.#isGone = true;
  }

  #watch(token: string, call: Call | undefined): void {
    const { stage, settled } = this.#options;
    this.isTouched = true;
    stage.figures.count("calls");
    const told = (rev: number | undefined, code: string) => {
      if (this.#isGone) return;
      stage.note(this.name, token, rev ?? code);
      settled(this, token, rev, code);
    };
    call?.committed.then(
      ({ rev }) => told(rev, ""),
      (error: RejectedError) => told(undefined, error.code),
    );
  }

  // ── what it hears ──────────────────────────────────────────────────────────────────────────────────────────

  #connect(protocols: readonly string[]): Wire {
    const { stage, room } = this.#options;
    if (this.#isGone) throw new Error("the page is gone");
    this.wire = new Wire(stage, room, this, `${this.name}.${++this.#wires}`, protocols);
    this.#protocolCopy.reconnect(this.wire.clientId);
    return this.wire;
  }

  says(wire: Wire, frame: UpFrame): void {
    if (frame.kind === "push") this.#pushes(wire, frame);
    if (frame.kind === "resync") this.#protocolCopy.resync(frame.tag);
  }

  #pushes({ clientId, secret }: Wire, { first, calls }: PushFrame): void {
    this.#protocolCopy.push();
    const savedRoom = this.keeping?.savedRoomOf(secret);
    for (const [index, [, , payload]] of calls.entries()) savedRoom?.judge(first + index, payload);
    const newest = this.#newestSentIds.get(clientId) ?? 0;
    const last = first + calls.length - 1;
    const again = Math.min(newest, last) - first + 1;
    if (again > 0) this.#options.stage.figures.count("calls sent again", again);
    this.#newestSentIds.set(clientId, Math.max(newest, last));
  }

  hears(wire: Wire, raw: Raw): void {
    if (this.#isGone || wire !== this.wire) return;
    this.isTouched = true;
    this.#protocolCopy.take(readFrame(raw, fakeCompressed));
  }

  #complained({ code, message }: RoomError): void {
    const { stage } = this.#options;
    stage.note(this.name, "complains", code, message);
    stage.figures.count(`complaints: ${code}`);
    if (bearable.has(code) || (code === "replaced" && stage.sharedIds.has(this.secret))) return;
    const isSlow = message.endsWith("the storage does not answer");
    if (code === "not-kept" && (isSlow || stage.unkeptIds.has(this.secret))) return;
    // So says the room, which failed; a client that fails has other words.
    const isOfRoom = message === codes.internal.sentence || message.startsWith("the room has closed");
    if (code === "internal" && isOfRoom && this.#options.disk.hasFailed) return;
    stage.fail(`${this.name} complains: ${code}, ${message}`);
  }

  /** Also of calls that an earlier page has made. */
  #rejected({ code, operation }: RejectedError): void {
    const { stage, settled } = this.#options;
    stage.note(this.name, "has a call rejected", code, operation?.type);
    stage.figures.count(`rejected: ${code}`);
    settled(this, tokenOf(operation?.payload), undefined, code);
  }

  /** Nobody is told of an event twice. */
  #waved(token: string): void {
    const wave = `${token} of ${this.#protocolCopy.epoch}`;
    if (this.#waves.has(wave)) this.#options.stage.fail(`${this.name} is told of event ${wave} twice`);
    this.#waves.add(wave);
  }

  /** Follows the changes that an observer is told of: each has to begin where the last one ended. */
  #watchShapes(): void {
    this.client.observe("shapes", (changes) => {
      for (const { id, before, after } of changes) {
        const known = this.#observed.get(`shapes/${id}`);
        if (JSON.stringify(before) !== JSON.stringify(known))
          this.#options.stage.fail(`${this.name} observes ${id} change from ${JSON.stringify(before)}`);
        if (after === undefined) this.#observed.delete(`shapes/${id}`);
        else this.#observed.set(`shapes/${id}`, after);
      }
    });
  }

  // ── what is to be seen in it ───────────────────────────────────────────────────────────────────────────────

  /** Judges what the client shows. Call it when everything that was caused has happened. */
  judge(): void {
    if (!this.isTouched) return;
    this.isTouched = false;
    if (this.#isGone || !this.isReady) return;
    const { stage } = this.#options;
    const { client } = this;
    if (client.rev !== this.#protocolCopy.rev)
      return stage.fail(`${this.name} is at ${client.rev}, by its frames at ${this.#protocolCopy.rev}`);
    const shown = stateOf(client.state);
    const shapes = new Map([...shown].filter(([key]) => key.startsWith("shapes/")));
    const unobserved = differenceOf(this.#observed, shapes);
    if (unobserved !== undefined) stage.fail(`${this.name} observes another state: ${unobserved}`);
    const view = predict(this.#protocolCopy.state, client.calls);
    const difference = differenceOf(shown, view);
    if (difference !== undefined)
      stage.fail(`${this.name} at ${client.rev} shows a wrong view: ${difference}`);
  }
}
