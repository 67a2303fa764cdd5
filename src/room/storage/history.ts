import type { FlushedDelta } from "../engine/engine-state.ts";
import { squashDeltas, type EncodedDelta } from "../../protocol/encoding/delta.ts";
import type { Limits } from "../limits.ts";
import { RingBuffer } from "./ring-buffer.ts";

/** Older flushes folded into one. Four of a level become one of the next, so their number grows with log(n). */
export interface Segment extends EncodedDelta {
  readonly level: number;
}

const segmentsPerLevel = 4;
/** Segments of this level are merged no further: they hold a billion flushes, or about as much as fits a row. */
const topLevel = 12;

/** Spans of which to make another delta is more work than to send one of somewhat more. */
const manySpans = 16;
/** How many times more operations than asked for that may be of. */
const maxSurplus = 2;

/** Squashed deltas that are kept until the next flush, for the next client that comes from the same place. */
const maxSquashed = 16;

/**
 * Everything that a delta can be made from: the newest flushes one by one, and what came before them merged. It is
 * kept as bytes alone, a fraction of the memory that its records would take, and read when a delta is made of it.
 */
export class DeltaHistory {
  readonly #ring: RingBuffer<FlushedDelta>;
  readonly #maxRingBytes: number;
  /** A segment is one row of storage. */
  readonly #maxSegmentBytes: number;
  #ringBytes = 0;
  /** Oldest first, gap-free, ending where the ring begins. */
  #segments: Segment[];
  #segmentBytes: number;
  /** Deltas up to the newest revision, by where they begin: a crowd that comes back asks for few different ones. */
  readonly #squashed = new Map<number, EncodedDelta>();

  constructor(
    limits: Pick<Limits, "maxRingFlushes" | "maxRingBytes" | "maxRowBytes">,
    segments: readonly Segment[] = [],
  ) {
    this.#ring = new RingBuffer(limits.maxRingFlushes);
    this.#maxRingBytes = limits.maxRingBytes;
    this.#maxSegmentBytes = limits.maxRowBytes;
    this.#segments = [...segments];
    this.#segmentBytes = bytesOf(segments);
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Bytes held, ring and segments. */
  get bytes(): number {
    return this.#ringBytes + this.#segmentBytes;
  }

  /** Where the ring buffer begins; what is older is in segments. Undefined when the ring is empty. */
  get ringFrom(): number | undefined {
    return this.#ring.oldest?.from;
  }

  push(flush: FlushedDelta): void {
    this.#squashed.clear();
    // A ring as old as the journal is long would name rows that are overwritten by now.
    while (this.#ring.oldest && this.#ring.oldest.flushSeq <= flush.flushSeq - this.#ring.capacity)
      this.#fold();
    this.#ring.push(flush);
    this.#ringBytes += flush.body.length;
    while (this.#ringBytes > this.#maxRingBytes && this.#ring.size > 1) this.#fold();
  }

  /** Forgets the oldest segments until no more than `maxBytes` are held, but none that reaches above `keepRev`. */
  trim(maxBytes: number, keepRev: number): void {
    for (;;) {
      const oldest = this.#segments[0];
      if (oldest === undefined || this.bytes <= maxBytes || oldest.to > keepRev) return;
      this.#segments.shift();
      this.#segmentBytes -= oldest.body.length;
    }
  }

  /**
   * One delta from `rev`, or from somewhat below it, to the newest revision. Undefined when history does not
   * reach that far back. `rev` is below the newest revision.
   */
  since(rev: number): EncodedDelta | undefined {
    const first = this.#segments.findIndex((segment) => segment.to > rev);
    const segments = first === -1 ? [] : this.#segments.slice(first);
    const ringFrom = segments.at(-1)?.to ?? rev;
    const newest = this.#ring.newest?.to ?? ringFrom;
    const flushes = this.#ring.range(ringFrom, newest);
    if (flushes === undefined) return undefined;
    const spans: (Segment | FlushedDelta)[] = [...segments, ...flushes];
    const oldest = spans[0];
    if (oldest === undefined || oldest.from > rev) return undefined;
    return spans.length === 1 ? oldest : this.#squash(oldest.from, spans);
  }

  #squash(from: number, spans: readonly (Segment | FlushedDelta)[]): EncodedDelta {
    const known =
      this.#squashed.get(from) ?? (spans.length < manySpans ? undefined : this.#squashedFrom(from));
    if (known !== undefined) return known;
    const delta = squashDeltas(spans);
    if (this.#squashed.size < maxSquashed) this.#squashed.set(from, delta);
    return delta;
  }

  /**
   * One that was made since the last flush and begins somewhat below `from`: sessions that have fallen behind, each from
   * a place of its own, are all sent the same, where that is of no more than twice what any needs.
   */
  #squashedFrom(from: number): EncodedDelta | undefined {
    let nearest: EncodedDelta | undefined;
    for (const delta of this.#squashed.values()) {
      if (delta.from > from || delta.to - delta.from > maxSurplus * (delta.to - from)) continue;
      if (nearest === undefined || delta.from > nearest.from) nearest = delta;
    }
    return nearest;
  }

  /** Moves the oldest part of the ring into a segment: many flushes at a time, so that each is squashed but once. */
  #fold(): void {
    const flushes: FlushedDelta[] = [];
    const count = Math.max(1, Math.ceil(this.#ring.capacity / 16));
    let bytes = 0;
    for (;;) {
      const flush = this.#ring.oldest;
      if (flush === undefined || flushes.length === count) break;
      bytes += flush.body.length;
      if (flushes.length > 0 && bytes > this.#maxSegmentBytes) break;
      this.#ring.shift();
      this.#ringBytes -= flush.body.length;
      flushes.push(flush);
    }
    this.#add({ ...squashDeltas(flushes), level: 0 });
    for (let level = 0; level < topLevel; level++) {
      if (this.#countOf(level) >= segmentsPerLevel) this.#mergeLevel(level);
    }
  }

  #add(segment: Segment): void {
    this.#segments.push(segment);
    this.#segmentBytes += segment.body.length;
  }

  #countOf(level: number): number {
    return this.#segments.filter((segment) => segment.level === level).length;
  }

  /**
   * Makes one segment of the oldest four of `level`. Levels fall from old to new, so those of one level stand
   * together. What would not fit a row rises as it is: left behind, it would keep its level full for ever.
   */
  #mergeLevel(level: number): void {
    const start = this.#segments.findIndex((segment) => segment.level === level);
    const merged = this.#segments.slice(start, start + segmentsPerLevel);
    const rest = this.#segments.slice(start + segmentsPerLevel);
    const whole = squashDeltas(merged);
    const risen = (whole.body.length > this.#maxSegmentBytes ? merged : [whole]).map((delta) => ({
      ...delta,
      level: level + 1,
    }));
    this.#segments = [...this.#segments.slice(0, start), ...risen, ...rest];
    this.#segmentBytes += bytesOf(risen) - bytesOf(merged);
  }
}

function bytesOf(deltas: readonly EncodedDelta[]): number {
  return deltas.reduce((sum, { body }) => sum + body.length, 0);
}
