import type { TransportEvent, TransportSocket } from "../client/connection/transport.ts";
import { codes, type Code } from "../src/protocol/codes.ts";
import { pingText, pongText } from "../src/protocol/version.ts";
import type { Attachment } from "../src/room/sessions/session.ts";
import type { Identity } from "../src/room/sessions/admission.ts";
import type { SimulatedClock } from "./clock.ts";

/** What went or goes up or down a socket. */
type Raw = string | Uint8Array;
type EventType = "open" | "message" | "close" | "error";
/** `up`: from the client to the room. `down`: from the room to the client. */
export type Direction = "up" | "down";

/** The way between one client and the room, for a test to break. */
export interface TestNetwork {
  /** Milliseconds that everything takes, each way. Nothing overtakes. */
  latencyMs: number;
  /** The connection is lost, which both ends notice at once; every attempt to connect fails. */
  cut(): void;
  /** What the client sends arrives, and nothing that the room sends from now on: calls are executed, and their answers lost. */
  dropAnswers(): void;
  /** What is sent from now on waits, both ways when no direction is named. */
  hold(direction?: Direction): void;
  /** What was held arrives, in order. */
  release(): void;
  /** The room closes the connection with one of its codes, and refuses every attempt to connect, until `restore`. */
  refuse(code: Code): void;
  /**
   * All is well again: what was held arrives, a connection that has lost something breaks, and the client is told that
   * the network is back, so that it connects at once.
   */
  restore(): void;
}

/** The end of a link at which the platform and the room are. */
export interface RoomEnd {
  accept(link: Link): void;
  message(link: Link, raw: Raw): void;
  gone(link: Link): void;
}

export class Network implements TestNetwork {
  latencyMs: number;
  /** Calls back whoever wants to know that the network is back. */
  wake: () => void = () => {};
  /** With which the room last refused this client, undefined since it was let in. */
  refusedWith: Code | undefined;
  readonly clock: SimulatedClock;
  readonly room: RoomEnd;
  readonly identity: Identity;
  readonly #links = new Set<Link>();
  readonly #held: { [D in Direction]: (() => void)[] | undefined } = { up: undefined, down: undefined };
  #isCut = false;
  #isDeaf = false;
  #refusal: Code | undefined;

  constructor(clock: SimulatedClock, room: RoomEnd, identity: Identity, latencyMs: number) {
    this.clock = clock;
    this.room = room;
    this.identity = identity;
    this.latencyMs = latencyMs;
  }

  /** Whether what is sent arrives, sooner or later. */
  get isSound(): boolean {
    if (this.#isCut || this.#isDeaf || this.#refusal !== undefined) return false;
    return this.#held.up === undefined && this.#held.down === undefined;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  get isDeaf(): boolean {
    return this.#isDeaf;
  }

  get refusal(): Code | undefined {
    return this.#refusal;
  }

  connect(protocols: readonly string[]): TransportSocket {
    const link = new Link(this, protocols);
    this.#links.add(link);
    return link;
  }

  forget(link: Link): void {
    this.#links.delete(link);
  }

  /** Does `arrive` when what was sent over `lane` is there. */
  carry(direction: Direction, lane: Lane, arrive: () => void): void {
    const held = this.#held[direction];
    if (held !== undefined) return void held.push(() => this.carry(direction, lane, arrive));
    const { clock } = this;
    lane.freeAt = Math.max(lane.freeAt, clock.now + this.latencyMs);
    clock.after(
      lane.freeAt - clock.now,
      () => {
        if (!lane.isLost) arrive();
      },
      () => !lane.isLost,
    );
  }

  cut(): void {
    this.#isCut = true;
    this.#breakAll();
  }

  dropAnswers(): void {
    this.#isDeaf = true;
  }

  hold(direction?: Direction): void {
    if (direction !== "down") this.#held.up ??= [];
    if (direction !== "up") this.#held.down ??= [];
  }

  release(): void {
    const { up = [], down = [] } = this.#held;
    this.#held.up = undefined;
    this.#held.down = undefined;
    for (const send of [...up, ...down]) send();
  }

  refuse(code: Code): void {
    this.#refusal = code;
    for (const link of this.#links) {
      if (link.isOpenAtRoom) this.room.gone(link);
      link.closeByRoom(code);
    }
  }

  restore(): void {
    const hasLost = this.#isCut || this.#isDeaf;
    this.#isCut = false;
    this.#isDeaf = false;
    this.#refusal = undefined;
    this.release();
    if (hasLost) this.#breakAll();
    this.wake();
  }

  #breakAll(): void {
    for (const link of this.#links) link.break(true);
  }
}

/** One direction of a link. */
interface Lane {
  /** When what was sent last arrives. */
  freeAt: number;
  /** What is on its way does not arrive. */
  isLost: boolean;
}

/** One WebSocket, both ends of it. */
export class Link implements TransportSocket {
  readonly network: Network;
  readonly protocols: readonly string[];
  /** What the room saved, as the platform keeps it over hibernation. */
  attachment: Attachment | undefined;
  /** Whether the platform has the room's end of it. */
  isOpenAtRoom = false;
  /** When the room's end last answered a heartbeat. */
  pingedAt = 0;
  readonly #up: Lane = { freeAt: 0, isLost: false };
  readonly #down: Lane = { freeAt: 0, isLost: false };
  readonly #listeners: { [T in EventType]: ((event: TransportEvent) => void)[] } = {
    open: [],
    message: [],
    close: [],
    error: [],
  };
  #state: "connecting" | "open" | "over" = "connecting";

  constructor(network: Network, protocols: readonly string[]) {
    this.network = network;
    this.protocols = protocols;
    if (network.isCut) network.clock.after(0, () => this.break(false));
    else network.carry("up", this.#up, () => network.room.accept(this));
  }

  // ── the client's end ───────────────────────────────────────────────────────────────────────────────────────

  addEventListener(type: EventType, listener: (event: TransportEvent) => void): void {
    this.#listeners[type].push(listener);
  }

  send(raw: Raw): void {
    if (this.#state !== "open") throw new Error("the socket is not open");
    this.network.carry("up", this.#up, () => {
      if (!this.isOpenAtRoom) return;
      // The platform answers a heartbeat by itself, and wakes nobody.
      if (raw !== pingText) return this.network.room.message(this, raw);
      this.pingedAt = this.network.clock.now;
      this.sendDown(pongText);
    });
  }

  close(): void {
    if (this.#state === "over") return;
    this.#over();
    this.network.carry("up", this.#up, () => this.network.room.gone(this));
  }

  // ── the room's end ─────────────────────────────────────────────────────────────────────────────────────────

  open(): void {
    this.isOpenAtRoom = true;
    this.#carryDown(() => {
      if (this.#state !== "connecting") return;
      this.#state = "open";
      this.#notify("open", {});
    });
  }

  sendDown(raw: Raw): void {
    this.#carryDown(() => {
      if (this.#state === "open") this.#notify("message", { data: raw });
    });
  }

  closeByRoom(code: Code): void {
    this.isOpenAtRoom = false;
    this.#carryDown(() => {
      if (this.#state === "over") return;
      this.#over();
      this.#notify("close", { code: codes[code].closeCode, reason: code });
      this.network.carry("up", this.#up, () => this.network.room.gone(this));
    });
  }

  #carryDown(arrive: () => void): void {
    if (!this.network.isDeaf) this.network.carry("down", this.#down, arrive);
  }

  // ── the network ────────────────────────────────────────────────────────────────────────────────────────────

  /** Nothing comes through any more, and the client is told; the room as well, if `isHeard`. */
  break(isHeard: boolean): void {
    this.#up.isLost = true;
    this.#down.isLost = true;
    if (isHeard && this.isOpenAtRoom) this.network.room.gone(this);
    if (this.#state === "over") return;
    this.#over();
    this.#notify("error", {});
    this.#notify("close", { code: 1006 });
  }

  #over(): void {
    this.#state = "over";
    this.network.forget(this);
  }

  #notify(type: EventType, event: TransportEvent): void {
    for (const listener of this.#listeners[type]) listener(event);
  }
}
