/** A call or a catch-up that has waited this long for its answer means that the connection is not what it seems. */
export const overdueMs = 10_000;

/** For how long a byte of a snapshot counts as progress: a room that sends less than 1 kB a second never ends a catch-up. */
const progressMsPerByte = 1;

/** The catch-up that a connection waits for, and whether it makes progress, whatever else the room sends. */
export class AwaitedCatchUp {
  /** Deltas before the reply with this tag are of no use. Undefined when no catch-up is awaited. */
  tag: number | undefined = 0;
  #lastTag = 0;
  /** When the hello was made. */
  #greetedAt = 0;
  /** Until when it has made progress. Undefined before the room has said anything on this connection. */
  #progressAt: number | undefined;
  /** Bytes of the parts that have come since the last snapshot that was whole. */
  #partBytes = 0;

  /** The reply to a hello is awaited. */
  greet(now: number): void {
    this.tag = 0;
    this.#greetedAt = now;
    this.#progressAt = undefined;
  }

  /** The room has said something. */
  hear(now: number): void {
    this.#progressAt ??= now;
  }

  /** Returns the tag of another catch-up, which is awaited now. One that did not fit was no progress. */
  askAgain(now: number): number {
    if (this.tag === undefined) this.#progressAt = now;
    return (this.tag = ++this.#lastTag);
  }

  isLate(now: number): boolean {
    return this.tag !== undefined && Math.abs(now - (this.#progressAt ?? this.#greetedAt)) > overdueMs;
  }

  /** Counts a part of a snapshot; false when more than `maxBytes` have come. */
  admitsPart(bytes: number, maxBytes: number, now: number): boolean {
    this.#progressAt = Math.min(now, (this.#progressAt ?? now) + bytes * progressMsPerByte);
    this.#partBytes += bytes;
    return this.#partBytes <= maxBytes;
  }

  /** The snapshot is whole, or what has come of it is forgotten. */
  endParts(): void {
    this.#partBytes = 0;
  }
}
