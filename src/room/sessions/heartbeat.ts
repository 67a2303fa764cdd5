/** That a session was asked whether it is there, and what the platform had to say of it by then. */
export interface Asked {
  readonly at: number;
  readonly pingedAt: number;
}

/** When something was last heard of the other end of a session, of frames and of pings, which the platform answers. */
export class Heartbeat {
  readonly #readPing: () => number;
  #heardAt: number;
  /** The newest ping that has been taken into account. */
  #pingedAt: number;
  #asked: Asked | undefined;

  /** `readPing`: when the platform last answered a ping, 0 for never. `asked`: what was saved before hibernation. */
  constructor(readPing: () => number, heardAt: number, asked: Asked | undefined) {
    this.#readPing = readPing;
    this.#heardAt = heardAt;
    this.#pingedAt = asked?.pingedAt ?? 0;
    this.#asked = asked;
  }

  /** Set as long as there is no answer. */
  get asked(): Asked | undefined {
    this.#takePing();
    return this.#asked;
  }

  get heardAt(): number {
    this.#takePing();
    return this.#heardAt;
  }

  /** Something else than a ping has come. Answers whether it was being asked. The platform is not: it would be for each message. */
  hear(now: number): boolean {
    const wasAsked = this.#asked !== undefined;
    this.#heardAt = now;
    this.#asked = undefined;
    return wasAsked;
  }

  ask(now: number): void {
    this.#asked = { at: now, pingedAt: this.#pingedAt };
  }

  #takePing(): void {
    const pingedAt = this.#readPing();
    if (pingedAt === this.#pingedAt) return;
    this.#pingedAt = pingedAt;
    // An answer is the newest that there is, also by a clock that was set back meanwhile.
    this.#heardAt = this.#asked === undefined ? Math.max(this.#heardAt, pingedAt) : pingedAt;
    this.#asked = undefined;
  }
}
