import type { Access } from "../../../src/schema/access.ts";
import { clientIdOf } from "../../../src/protocol/handshake/client-secret.ts";
import { frameBytes } from "../../../src/protocol/codec.ts";
import { pingText, pongText } from "../../../src/protocol/version.ts";
import type { UpFrame } from "../../../src/protocol/down/down-frames.ts";
import { decodeHello } from "../../../src/protocol/handshake/hello.ts";
import type { TransportEvent, TransportSocket } from "../../../client/connection/transport.ts";
import type { Attachment } from "../../../src/room/sessions/session.ts";
import { readFrame } from "../../support/frames/decoded-frames.ts";
import { acknowledgedBy, frameUp, withoutReceived, type Raw } from "../client/sent-frames.ts";
import type { Stage } from "../stage.ts";
import { fakeCompressed } from "./fake-compression.ts";

type EventType = "open" | "message" | "close" | "error";

/** One direction of a socket: everything takes its time, and nothing overtakes. */
class Lane {
  readonly #stage: Stage;
  #freeAt = 0;
  /** What is on its way is lost. */
  isLost = false;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  carry(arrive: () => void): void {
    const { clock, dice, plan } = this.#stage;
    this.#freeAt = Math.max(this.#freeAt, clock.now + dice.between(...plan.latencyMs));
    clock.at(this.#freeAt, () => {
      if (!this.isLost) arrive();
    });
  }

  stall(ms: number): void {
    this.#freeAt = Math.max(this.#freeAt, this.#stage.clock.now) + ms;
  }
}

function isHeartbeat(raw: Raw): boolean {
  return raw === pingText || raw === pongText;
}

/** The end of a wire at which the platform and the room are. */
export interface RoomEnd {
  accept(wire: Wire): void;
  message(wire: Wire, raw: Raw): void;
  ping(wire: Wire): void;
  gone(wire: Wire): void;
}

/** The end of a wire at which a page is. */
export interface PageEnd {
  readonly name: string;
  readonly identity: {
    readonly user: { readonly id: string; readonly name: string };
    readonly access: Access;
  };
  /** How much longer its next handshake takes. */
  handshakeDelayMs: number;
  /** Nothing comes through for now. */
  isUnreachable: boolean;
  /** Keeps its acknowledgements to itself for now. */
  isMute: boolean;
  /** Is told of what its client sends. */
  says(wire: Wire, frame: UpFrame): void;
  /** Is told of what arrives before its client is. */
  hears(wire: Wire, raw: Raw): void;
}

/** One WebSocket, both ends of it and the network between. */
export class Wire implements TransportSocket {
  readonly name: string;
  readonly page: PageEnd;
  /** Of the hello: the page's own, or that of a page that is gone. */
  readonly secret: string;
  readonly protocols: readonly string[];
  /** What the room saved, as the platform keeps it over hibernation. */
  attachment: Attachment | undefined;
  /** When the platform last answered a ping, by the room's clock. */
  pingedAt = 0;
  /** Whether the platform still has the room's end of it. */
  isOpenAtRoom = false;
  /** Frames that the page has sent, for somebody to send them again. */
  readonly pushes: Raw[] = [];
  /** Acknowledgements that a mute page keeps. */
  withheldBytes = 0;
  readonly #stage: Stage;
  readonly #room: RoomEnd;
  readonly #listeners: { [type in EventType]: ((event: TransportEvent) => void)[] } = {
    open: [],
    message: [],
    close: [],
    error: [],
  };
  readonly up: Lane;
  readonly down: Lane;
  #pageState: "connecting" | "open" | "over" = "connecting";
  /** What is sent from now on goes nowhere, even if the page does not know. */
  #isCut = false;

  constructor(stage: Stage, room: RoomEnd, page: PageEnd, name: string, protocols: readonly string[]) {
    this.#stage = stage;
    this.#room = room;
    this.page = page;
    this.name = name;
    this.protocols = protocols;
    this.secret = decodeHello(protocols)?.secret ?? "";
    this.up = new Lane(stage);
    this.down = new Lane(stage);
    if (page.isUnreachable) {
      // Refused at once, or never answered.
      if (stage.dice.chance(0.7)) this.down.carry(() => this.#break());
    } else {
      this.up.stall(page.handshakeDelayMs);
      page.handshakeDelayMs = 0;
      this.up.carry(() => room.accept(this));
    }
  }

  get clientId(): string {
    return clientIdOf(this.secret);
  }

  get isOpenAtPage(): boolean {
    return this.#pageState === "open";
  }

  /** Whether nobody will hear anything over it any more. */
  get isDead(): boolean {
    return this.#isCut || this.#pageState === "over";
  }

  // ── the page's end ─────────────────────────────────────────────────────────────────────────────────────────

  addEventListener(type: EventType, listener: (event: TransportEvent) => void): void {
    this.#listeners[type].push(listener);
  }

  send(raw: Raw): void {
    if (this.#pageState !== "open") throw new Error("the socket is not open");
    const frame = frameUp(raw);
    this.#stage.note(this.name, ">", () => JSON.stringify(frame));
    if (frame !== undefined) this.page.says(this, frame);
    if (frame?.kind === "push") this.pushes.push(raw);
    const sent = this.page.isMute ? this.#withhold(raw, frame) : raw;
    if (sent !== undefined) this.carryUp(sent);
  }

  close(): void {
    if (this.#pageState === "over") return;
    this.#pageState = "over";
    this.#stage.note(this.name, "closed by its page");
    if (!this.#isCut) this.up.carry(() => this.#room.gone(this));
  }

  /** Puts a message on its way to the room, whoever has made it. */
  carryUp(raw: Raw): void {
    if (this.#isCut) return;
    this.up.carry(() => {
      if (!this.isOpenAtRoom) return;
      if (raw === pingText) this.#room.ping(this);
      else this.#room.message(this, raw);
    });
  }

  /** Keeps what a frame acknowledges. Undefined when nothing else is in it. */
  #withhold(raw: Raw, frame: UpFrame | undefined): Raw | undefined {
    this.withheldBytes += acknowledgedBy(frame);
    return frame?.kind === "ack" ? undefined : withoutReceived(raw);
  }

  /** Sends what a page kept while it was mute. */
  acknowledgeWithheld(): void {
    if (this.withheldBytes === 0 || this.#pageState !== "open") return;
    this.carryUp(JSON.stringify({ kind: "ack", bytes: this.withheldBytes }));
    this.withheldBytes = 0;
  }

  /** The page is no more, and nobody says so. */
  abandon(): void {
    this.#pageState = "over";
  }

  // ── the room's end ─────────────────────────────────────────────────────────────────────────────────────────

  open(): void {
    this.isOpenAtRoom = true;
    this.down.carry(() => {
      if (this.#pageState !== "connecting") return;
      this.#pageState = "open";
      this.#tell("open", {});
    });
  }

  sendDown(raw: Raw): void {
    this.#stage.figures.count("bytes down", frameBytes(raw));
    this.down.carry(() => this.#arrive(raw));
  }

  #arrive(raw: Raw): void {
    if (this.#pageState !== "open") return;
    this.#stage.note(this.name, "<", () =>
      isHeartbeat(raw) ? raw : JSON.stringify(readFrame(raw, fakeCompressed)),
    );
    if (!isHeartbeat(raw)) this.page.hears(this, raw);
    this.#tell("message", { data: raw });
  }

  /** The room closes it; the page answers, which the platform tells the room. */
  closeByRoom(code: number, reason: string): void {
    this.#stage.note(this.name, "closed by the room", code, reason);
    this.down.carry(() => {
      if (this.#pageState === "over") return;
      this.#pageState = "over";
      this.#tell("close", { code, reason });
      this.up.carry(() => this.#room.gone(this));
    });
  }

  // ── the network ────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Nothing comes through any more. `pageAfterMs` and `roomAfterMs` are when each end is told, undefined for never.
   * With `upArrives` what the page has sent still reaches the room, however late.
   */
  cut(pageAfterMs: number | undefined, roomAfterMs: number | undefined, upArrives = false): void {
    const { clock } = this.#stage;
    this.up.isLost ||= !upArrives;
    this.down.isLost = true;
    if (pageAfterMs !== undefined) clock.after(pageAfterMs, () => this.#break());
    if (roomAfterMs !== undefined) clock.after(roomAfterMs, () => this.#room.gone(this));
    this.#isCut = true;
  }

  #break(): void {
    if (this.#pageState === "over") return;
    this.#pageState = "over";
    this.#stage.note(this.name, "broke");
    this.#tell("error", {});
    this.#tell("close", { code: 1006 });
  }

  #tell(type: EventType, event: TransportEvent): void {
    for (const listener of this.#listeners[type]) listener(event);
  }
}
