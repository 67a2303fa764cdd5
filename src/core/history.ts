import { absorb, decodeChanges, encodeChanges, type Changes, type WireChanges } from "./changes.ts";
import { utf8Bytes } from "./json.ts";
import type { Limits } from "./limits.ts";
import { RingBuffer, type Span } from "./ring-buffer.ts";

/** What takes a state from revision `from` to `to`, as the text that frames and rows share. */
export interface EncodedDelta extends Span {
  /** `{"from":…,"to":…,"changes":{…}}` */
  readonly body: string;
  readonly bytes: number;
}

export interface Delta extends EncodedDelta {
  readonly changes: Changes;
}

/** The delta of one flush; `n` is the number of its journal row. */
export interface FlushedDelta extends Delta {
  readonly n: number;
}

/**
 * Older flushes folded into one. Four of a level become one of the next, so their number grows with log(n). It is
 * kept as text alone, which takes a third of the memory that its records would: few clients ever come from so far back.
 */
export interface Segment extends EncodedDelta {
  readonly level: number;
}

const segmentsPerLevel = 4;
/** Segments of this level are merged no further: they hold a billion flushes, or about as much as fits a row. */
const topLevel = 12;

/** Squashed deltas that are kept until the next flush, for the next client that comes from the same place. */
const maxSquashed = 16;

export function encodeDelta(from: number, to: number, changes: Changes): Delta {
  const body = JSON.stringify({ from, to, changes: encodeChanges(changes) });
  return { from, to, changes, body, bytes: utf8Bytes(body) };
}

/** Reads the text of a delta back. */
export function decodeDelta(body: string): Delta {
  const { from, to, changes } = JSON.parse(body) as { from: number; to: number; changes: WireChanges };
  return { from, to, changes: decodeChanges(changes), body, bytes: utf8Bytes(body) };
}

/** Everything that a delta can be made from: the newest flushes one by one, and what came before them merged. */
export class History {
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
    while (this.#ring.oldest && this.#ring.oldest.n <= flush.n - this.#ring.capacity) this.#fold();
    this.#ring.push(flush);
    this.#ringBytes += flush.bytes;
    while (this.#ringBytes > this.#maxRingBytes && this.#ring.size > 1) this.#fold();
  }

  /** Forgets the oldest segments until no more than `maxBytes` are held, but none that reaches above `keepRev`. */
  trim(maxBytes: number, keepRev: number): void {
    for (;;) {
      const oldest = this.#segments[0];
      if (oldest === undefined || this.bytes <= maxBytes || oldest.to > keepRev) return;
      this.#segments.shift();
      this.#segmentBytes -= oldest.bytes;
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
    const known = this.#squashed.get(from);
    if (known !== undefined) return known;
    const delta = squashDeltas(spans);
    if (this.#squashed.size < maxSquashed) this.#squashed.set(from, delta);
    return delta;
  }

  /** Moves the oldest part of the ring into a segment: many flushes at a time, so that each is squashed but once. */
  #fold(): void {
    const flushes: FlushedDelta[] = [];
    const count = Math.max(1, Math.ceil(this.#ring.capacity / 16));
    let bytes = 0;
    for (;;) {
      const flush = this.#ring.oldest;
      if (flush === undefined || flushes.length === count) break;
      bytes += flush.bytes;
      if (flushes.length > 0 && bytes > this.#maxSegmentBytes) break;
      this.#ring.shift();
      this.#ringBytes -= flush.bytes;
      flushes.push(flush);
    }
    this.#add({ ...squashDeltas(flushes), level: 0 });
    for (let level = 0; level < topLevel; level++) {
      if (this.#countOf(level) >= segmentsPerLevel) this.#mergeLevel(level);
    }
  }

  #add(segment: Segment): void {
    this.#segments.push(segment);
    this.#segmentBytes += segment.bytes;
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
    const risen = (whole.bytes > this.#maxSegmentBytes ? merged : [whole]).map((delta) => ({
      ...delta,
      level: level + 1,
    }));
    this.#segments = [...this.#segments.slice(0, start), ...risen, ...rest];
    this.#segmentBytes += bytesOf(risen) - bytesOf(merged);
  }
}

function bytesOf(deltas: readonly EncodedDelta[]): number {
  return deltas.reduce((sum, { bytes }) => sum + bytes, 0);
}

function squashDeltas(spans: readonly (EncodedDelta | Delta)[]): EncodedDelta {
  const changes: Changes = new Map();
  for (const span of spans)
    absorb(changes, "changes" in span ? span.changes : decodeDelta(span.body).changes);
  const { from, to, body, bytes } = encodeDelta((spans[0] as Span).from, (spans.at(-1) as Span).to, changes);
  return { from, to, body, bytes };
}
