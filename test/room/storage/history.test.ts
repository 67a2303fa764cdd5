import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { absorb, type Changes } from "../../../src/model/changes.ts";
import { encodeDelta } from "../../../src/protocol/encoding/delta.ts";
import { Handles } from "../../../src/room/storage/handles.ts";
import { DeltaHistory, type Segment } from "../../../src/room/storage/history.ts";
import type { FlushedDelta } from "../../../src/room/engine/engine-state.ts";
import { State } from "../../../src/model/state.ts";
import { RecordNames } from "../../support/frames/record-names.ts";
import { applyDelta, namesOf } from "../../support/frames/applied-delta.ts";
import {
  anyEdit,
  copyOfState,
  editedCollections,
  haveSameContent,
  operationOf,
  type Edit,
} from "../../support/random-edits.ts";

const roomy = { maxRingFlushes: 4, maxRingBytes: 1e9, maxRowBytes: 1e9 };

/** A history, and a room as it was at each revision. */
class Story {
  readonly history: DeltaHistory;
  readonly flushes: FlushedDelta[] = [];
  /** By revision. */
  readonly states: State[] = [new State()];
  readonly #handles = new Handles(0);
  /** What a client knows at the end of each flush, by revision. */
  readonly #names = new Map([[0, new RecordNames()]]);
  #n = 0;

  constructor(limits = roomy, segments: readonly Segment[] = []) {
    this.history = new DeltaHistory(limits, segments);
  }

  get rev(): number {
    return this.states.length - 1;
  }

  /** Commits one operation for each group of edits, in one flush. */
  flush(groups: readonly (readonly Edit[])[]): void {
    this.#n += 1;
    if (groups.length === 0) return; // every call was rejected: a row without a delta
    const from = this.rev;
    const changes: Changes = new Map();
    for (const edits of groups) {
      const state = copyOfState(this.states[this.rev] as State);
      absorb(changes, operationOf(state, edits));
      this.states.push(state);
    }
    const flush = { ...encodeDelta(from, this.rev, this.#handles.take(changes)), flushSeq: this.#n };
    this.flushes.push(flush);
    this.history.push(flush);
    this.#names.set(this.rev, namesOf(this.states[this.rev] as State, this.#handles, editedCollections));
  }

  /** A flush of one revision that puts the note `id`. */
  put(id: string, text = "0123456789"): void {
    this.flush([[{ collection: "notes", id, change: { kind: "put", record: { text, rank: 0 } } }]]);
  }

  /** Where history begins. */
  get from(): number {
    return this.history.segments[0]?.from ?? this.history.ringFrom ?? this.rev;
  }

  /** Bytes of what history says it holds. */
  heldBytes(): number {
    const { segments, ringFrom = Infinity } = this.history;
    const held = [...segments, ...this.flushes.filter(({ from }) => from >= ringFrom)];
    return held.reduce((sum, { body }) => sum + body.length, 0);
  }

  /** Asks for a delta from every revision, applies it to the room as it was there, and tells what is wrong. */
  problems(): string[] {
    const problems: string[] = [];
    const newest = this.states[this.rev] as State;
    for (let rev = 0; rev < this.rev; rev++) {
      const delta = this.history.since(rev);
      if ((delta === undefined) !== rev < this.from) problems.push(`${rev}: history begins at ${this.from}`);
      if (delta === undefined) continue;
      if (delta.from > rev || delta.to !== this.rev)
        problems.push(`${rev}: the delta is ${delta.from}..${delta.to}`);
      const names = this.#names.get(rev);
      if (names === undefined) continue; // within a flush, where no client ever is
      const state = copyOfState(this.states[rev] as State);
      applyDelta(state, new RecordNames(names), delta.body);
      if (!haveSameContent(state, newest)) problems.push(`${rev}: the delta leads elsewhere`);
    }
    const { segments, ringFrom = this.rev } = this.history;
    for (const [index, { to }] of segments.entries()) {
      if (to !== (segments[index + 1]?.from ?? ringFrom)) problems.push(`there is a gap behind ${to}`);
    }
    const { bytes } = this.history;
    if (bytes !== this.heldBytes()) problems.push(`${bytes} bytes said, ${this.heldBytes()} held`);
    return problems;
  }
}

const limits = fc.record({
  maxRingFlushes: fc.integer({ min: 1, max: 5 }),
  maxRingBytes: fc.constantFrom(1, 200, 1_000, 1e9),
  maxRowBytes: fc.constantFrom(1, 150, 1_000, 1e9),
});
const flushes = fc.array(fc.array(fc.array(anyEdit, { minLength: 1, maxLength: 3 }), { maxLength: 3 }), {
  maxLength: 30,
});

describe("a delta from any revision that a client may have", () => {
  test("takes the room as it was there to the newest one, over any flushes", () => {
    fc.assert(
      fc.property(limits, flushes, (limits, flushes) => {
        const story = new Story(limits);
        for (const groups of flushes) story.flush(groups);
        expect(story.from).toBe(0);
        expect(story.problems()).toEqual([]);
      }),
      { numRuns: 80 },
    );
  });

  test("is right at every moment, trimmed now and then", () => {
    const step = fc.record({
      groups: fc.array(fc.array(anyEdit, { minLength: 1, maxLength: 2 }), { maxLength: 2 }),
      trimTo: fc.option(fc.record({ bytes: fc.constantFrom(0, 300, 1_000), keep: fc.nat(4) }), { freq: 3 }),
    });
    fc.assert(
      fc.property(limits, fc.array(step, { maxLength: 12 }), (limits, steps) => {
        const story = new Story(limits);
        for (const { groups, trimTo } of steps) {
          story.flush(groups);
          const keepRev = Math.max(story.from, story.rev - (trimTo?.keep ?? 0));
          if (trimTo !== null) story.history.trim(trimTo.bytes, keepRev);
          expect(story.from).toBeLessThanOrEqual(keepRev);
          expect(story.problems()).toEqual([]);
        }
      }),
      { numRuns: 50 },
    );
  });

  test("is one flush as it was written, when only that is missing", () => {
    const story = new Story();
    for (const id of ["a", "b", "c"]) story.put(id);
    expect(story.history.since(2)).toBe(story.flushes[2]);
  });

  test("is made once for all who come from the same place, until the next flush", () => {
    const story = new Story();
    for (const id of ["a", "b", "c"]) story.put(id);
    const delta = story.history.since(0);
    expect(story.history.since(0)).toBe(delta);
    story.put("d");
    expect(story.history.since(0)?.to).toBe(4);
  });

  test("is none where there is no history", () => {
    expect(new DeltaHistory(roomy).since(0)).toBeUndefined();
  });
});

describe("what leaves the ring", () => {
  test("is folded into a segment, and nothing is lost", () => {
    const story = new Story();
    for (const id of ["a", "b", "c", "d", "e"]) story.put(id);
    expect(story.history.segments.map(({ from, to, level }) => [from, to, level])).toEqual([[0, 1, 0]]);
    expect(story.history.ringFrom).toBe(1);
    expect(story.problems()).toEqual([]);
  });

  test.each([1e9, 300])(
    "is folded many flushes at a time in a large ring, in rows of %d bytes",
    (maxRowBytes) => {
      const story = new Story({ maxRingFlushes: 64, maxRingBytes: 1e9, maxRowBytes });
      for (let flush = 0; flush < 150; flush++) story.put(`${flush % 11}`);
      expect(story.from).toBe(0);
      expect(story.problems()).toEqual([]);
      expect(story.history.segments.filter(({ body }) => body.length > maxRowBytes)).toEqual([]);
    },
  );

  test("is merged by fours, so that segments grow in number with the logarithm", () => {
    const story = new Story();
    for (let flush = 0; flush < 4 + 4 * 4 * 4 + 4 + 1; flush++) story.put(`${flush % 5}`);
    expect(story.history.segments.map(({ from, to, level }) => [from, to, level])).toEqual([
      [0, 64, 3],
      [64, 68, 1],
      [68, 69, 0],
    ]);
  });

  test("leaves by the row's number also when rows without a delta come in between", () => {
    const story = new Story();
    story.put("a");
    for (let row = 0; row < 4; row++) story.flush([]);
    story.put("b");
    expect(story.history.ringFrom).toBe(1);
    expect(story.problems()).toEqual([]);
  });

  test("leaves when the ring is over its bytes, but the newest flush stays", () => {
    const story = new Story({ ...roomy, maxRingBytes: 200 });
    story.put("a");
    story.put("b", "x".repeat(1_000));
    expect(story.history.ringFrom).toBe(1);
    story.put("c");
    expect(story.history.ringFrom).toBe(2);
    expect(story.problems()).toEqual([]);
  });
});

describe("a segment is a row of storage", () => {
  const tight = { ...roomy, maxRowBytes: 400 };

  test("so what would not fit one is not merged", () => {
    const story = new Story(tight);
    for (let flush = 0; flush < 60; flush++) story.put(`${flush}`);
    for (const { body } of story.history.segments) expect(body.length).toBeLessThanOrEqual(400);
    expect(story.problems()).toEqual([]);
  });

  test("and once something did not fit, what comes after is merged as before", () => {
    const story = new Story(tight);
    for (let flush = 0; flush < 5; flush++) story.put(`large ${flush}`, "x".repeat(200));
    for (let flush = 0; flush < 400; flush++) story.put("small");
    // Five large ones that cannot be merged, and the logarithm of the rest.
    expect(story.history.segments.length).toBeLessThan(5 + 3 * 6);
    expect(story.problems()).toEqual([]);
  });

  test("so a flush that is larger than a row by itself is still kept", () => {
    const story = new Story(tight);
    story.put("large", "x".repeat(1_000));
    for (let flush = 0; flush < 6; flush++) story.put("small");
    expect(story.from).toBe(0);
    expect(story.problems()).toEqual([]);
  });
});

describe("trimming", () => {
  test("forgets the oldest until no more bytes are held than allowed", () => {
    const story = new Story();
    for (let flush = 0; flush < 40; flush++) story.put(`${flush}`);
    const before = story.history.segments.length;
    const maxBytes = story.history.bytes - 1;
    story.history.trim(maxBytes, story.rev);
    expect(story.history.segments.length).toBe(before - 1);
    expect(story.history.bytes).toBeLessThanOrEqual(maxBytes);
    expect(story.problems()).toEqual([]);
  });

  test("never forgets what reaches above the revision to keep", () => {
    const story = new Story();
    for (let flush = 0; flush < 40; flush++) story.put(`${flush}`);
    const second = story.history.segments[1] as Segment;
    story.history.trim(0, second.to - 1);
    expect(story.history.segments[0]).toBe(second);
    story.history.trim(0, second.to);
    expect(story.history.segments[0]).not.toBe(second);
  });

  test("leaves the ring, whatever is allowed", () => {
    const story = new Story();
    for (let flush = 0; flush < 40; flush++) story.put(`${flush}`);
    story.history.trim(0, story.rev);
    expect(story.history.segments).toEqual([]);
    expect(story.history.since(story.history.ringFrom as number)).toBeDefined();
    expect(story.problems()).toEqual([]);
  });
});

test("however long a room runs, the ring and the segments stay within their limits", () => {
  const ringLimits = { maxRingFlushes: 16, maxRingBytes: 2_000, maxRowBytes: 3_000 };
  const story = new Story(ringLimits);
  let largest = { bytes: 0, segments: 0 };
  for (let flush = 0; flush < 1_500; flush++) {
    story.put(`${flush % 7}`, "x".repeat(flush % 50));
    if (flush % 16 === 0) story.history.trim(5_000, story.rev);
    const { bytes, segments } = story.history;
    largest = {
      bytes: Math.max(largest.bytes, bytes),
      segments: Math.max(largest.segments, segments.length),
    };
  }
  // Between two trims a ring's worth may come on top.
  expect(largest.bytes).toBeLessThan(5_000 + ringLimits.maxRingBytes + ringLimits.maxRowBytes);
  expect(largest.segments).toBeLessThan(30);
});

test("segments read back from storage go on as if they had never left", () => {
  const story = new Story();
  for (let flush = 0; flush < 23; flush++) story.put(`${flush % 5}`);
  const ring = story.flushes.filter(({ from }) => from >= (story.history.ringFrom as number));
  const woken = new DeltaHistory(roomy, story.history.segments);
  for (const flush of ring) woken.push(flush);
  for (let rev = 0; rev < story.rev; rev++)
    expect(woken.since(rev)?.body).toEqual(story.history.since(rev)?.body);
  expect(woken.bytes).toBe(story.history.bytes);
});

describe("sessions that have fallen behind", () => {
  const longRing = { ...roomy, maxRingFlushes: 64 };

  test("are served one delta, although each comes from a place of its own", () => {
    const story = new Story(longRing);
    for (let n = 0; n < 60; n++) story.put(`n${n % 5}`, `text ${n}`);
    const widest = story.history.since(20);
    const served = [21, 25, 30, 35, 40].map((rev) => story.history.since(rev));
    expect(new Set(served)).toEqual(new Set([widest]));
    expect(story.problems()).toEqual([]);
  });

  test("are served none of more than twice the operations that they need", () => {
    const story = new Story(longRing);
    for (let n = 0; n < 60; n++) story.put(`n${n % 5}`, `text ${n}`);
    expect(story.history.since(0)?.from).toBe(0);
    expect(story.history.since(31)?.from).toBe(31);
  });

  test("are served what is new by then", () => {
    const story = new Story(longRing);
    for (let n = 0; n < 40; n++) story.put(`n${n % 5}`, `text ${n}`);
    const before = story.history.since(10);
    story.put("n1", "newest");
    expect([before?.to, story.history.since(10)?.to]).toEqual([40, 41]);
  });
});
