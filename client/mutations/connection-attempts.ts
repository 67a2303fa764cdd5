/** By how much a clock may have been ahead: a minute, an hour, some days, some months. */
const leadsMs = [60_000, 3_600_000, 216_000_000, 12_960_000_000];

/** What the hellos of a client id say of it. */
export interface Introduction {
  /** As the room's first welcome told it; null when there was none, or no call is in doubt. */
  readonly knownSince: number | null;
  /** Number of the newest attempt to connect. */
  readonly attempt: number;
}

/**
 * The attempts of one client id to connect. Each has a greater number than the one before, also those of a later page that goes on
 * with this client id, so that the room can tell a newer attempt from an older one that arrives late.
 */
export class ConnectionAttempts {
  #introduction: Introduction;
  #bids = 0;

  constructor(introduction: Introduction = { knownSince: null, attempt: 0 }) {
    this.#introduction = introduction;
  }

  get introduction(): Introduction {
    return this.#introduction;
  }

  get knownSince(): number | null {
    return this.#introduction.knownSince;
  }

  /**
   * The next hello's number. Time, so that of two pages with a copied client id the later attempt is that of the later.
   * `isInDoubt`: whether the room may have executed a call whose outcome is not known. With nothing in doubt a room that has
   * forgotten this client may take it for a new one.
   */
  next(now: number, isInDoubt: boolean): number {
    const knownSince = isInDoubt ? this.knownSince : null;
    const attempt = Math.max(this.#introduction.attempt + 1, now);
    this.#introduction = { knownSince, attempt };
    return attempt;
  }

  /**
   * The room knows a later attempt of a page that is gone, whose clock was ahead or whose hello was late. Later attempts come
   * behind that one, further each time; false when it is not to be hoped for, since somebody else answers.
   */
  outbid(): boolean {
    const leadMs = leadsMs[this.#bids++];
    if (leadMs === undefined) return false;
    this.#introduction = { ...this.#introduction, attempt: this.#introduction.attempt + leadMs };
    return true;
  }

  /** The room has said which moment of it this client is known from. */
  welcome(knownSince: number): void {
    // A restored room counts its moments anew from an earlier one.
    this.#introduction = {
      ...this.#introduction,
      knownSince: Math.min(this.knownSince ?? knownSince, knownSince),
    };
  }
}
