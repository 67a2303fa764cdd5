import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Span } from "../../../src/protocol/encoding/delta.ts";
import { RingBuffer } from "../../../src/room/storage/ring-buffer.ts";

/** A buffer with the spans 0–1, 1–2, …, each one revision long. */
function steps(capacity: number, count: number): RingBuffer<Span> {
  const ring = new RingBuffer<Span>(capacity);
  for (let rev = 0; rev < count; rev++) ring.push({ from: rev, to: rev + 1 });
  return ring;
}

/** `0–2 2–5` */
function text(spans: Iterable<Span> | undefined): string | undefined {
  return spans && Array.from(spans, ({ from, to }) => `${from}–${to}`).join(" ");
}

describe("range", () => {
  const spans = [
    { from: 10, to: 12 },
    { from: 12, to: 13 },
    { from: 13, to: 16 },
  ];
  test.each([
    { fromRev: 10, toRev: 16, found: "10–12 12–13 13–16", title: "from its begin to its end is everything" },
    { fromRev: 9, toRev: 16, found: undefined, title: "from one revision before its begin is out of reach" },
    { fromRev: 10, toRev: 17, found: undefined, title: "to one revision past its end is out of reach" },
    { fromRev: 12, toRev: 16, found: "12–13 13–16", title: "leaves out the span that ends where it begins" },
    { fromRev: 11, toRev: 16, found: "10–12 12–13 13–16", title: "takes in the span that it begins within" },
    { fromRev: 10, toRev: 13, found: "10–12 12–13", title: "leaves out the span that begins where it ends" },
    { fromRev: 10, toRev: 14, found: "10–12 12–13 13–16", title: "takes in the span that it ends within" },
    { fromRev: 14, toRev: 15, found: "13–16", title: "within one span is that span" },
    { fromRev: 12, toRev: 12, found: "", title: "of no revisions is no spans" },
    { fromRev: 16, toRev: 16, found: "", title: "of no revisions at the end is no spans" },
  ])("$title", ({ fromRev, toRev, found }) => {
    const ring = new RingBuffer<Span>(3);
    for (const span of spans) ring.push(span);
    expect(text(ring.range(fromRev, toRev))).toBe(found);
  });

  test("of an empty buffer is out of reach, whatever it is", () => {
    expect(new RingBuffer(4).range(0, 1)).toBeUndefined();
  });

  test("is in order where the buffer has wrapped around", () => {
    expect(text(steps(3, 5).range(2, 5))).toBe("2–3 3–4 4–5");
    expect(steps(3, 5).range(1, 5)).toBeUndefined();
  });
});

test("a full buffer gives its oldest span for a new one", () => {
  const ring = steps(2, 2);
  expect(ring.push({ from: 2, to: 3 })).toEqual({ from: 0, to: 1 });
  expect(text(ring)).toBe("1–2 2–3");
});

test("a buffer of one span holds the newest", () => {
  const ring = steps(1, 3);
  expect(text(ring)).toBe("2–3");
  expect(ring.oldest).toBe(ring.newest);
  expect(text(ring.range(2, 3))).toBe("2–3");
});

test("a span that was taken out leaves room for another", () => {
  const ring = steps(2, 2);
  ring.shift();
  expect(ring.push({ from: 2, to: 3 })).toBeUndefined();
});

describe("a push is refused, and the buffer stays as it was:", () => {
  test.each([
    { title: "a gap", span: { from: 3, to: 4 }, message: "ring buffer gap: have 2, got 3" },
    { title: "an overlap", span: { from: 1, to: 3 }, message: "ring buffer gap: have 2, got 1" },
    { title: "a span of nothing", span: { from: 2, to: 2 }, message: "2..2 goes nowhere" },
    { title: "a span backwards", span: { from: 2, to: 1 }, message: "2..1 goes nowhere" },
  ])("$title", ({ span, message }) => {
    const ring = steps(2, 2);
    expect(() => ring.push(span)).toThrow(message);
    expect(text(ring)).toBe("0–1 1–2");
  });
});

test.each([0, -1, 1.5, Number.NaN, Infinity])("a capacity of %s is refused", (capacity) => {
  expect(() => new RingBuffer(capacity)).toThrow("is not a count");
});

test("a buffer does what a plain array would, over any pushes and shifts", () => {
  const command = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 3 }) },
    fc.constant("shift" as const),
  );
  const given = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.array(command, { maxLength: 30 }));
  fc.assert(
    fc.property(given, ([capacity, commands]) => {
      const ring = new RingBuffer<Span>(capacity);
      const model: Span[] = [];
      let rev = 7;
      for (const command of commands) {
        const span = command === "shift" ? undefined : { from: rev, to: (rev += command) };
        const gone = span === undefined ? ring.shift() : ring.push(span);
        expect(gone).toBe(span === undefined || model.length === capacity ? model.shift() : undefined);
        if (span !== undefined) model.push(span);
        expect([...ring]).toEqual(model);
        expect([ring.size, ring.oldest, ring.newest]).toEqual([model.length, model[0], model.at(-1)]);
      }
      for (let fromRev = 6; fromRev <= rev + 1; fromRev++) {
        for (let toRev = fromRev; toRev <= rev + 1; toRev++) {
          expect(ring.range(fromRev, toRev)).toEqual(plainRange(model, fromRev, toRev));
        }
      }
    }),
    { numRuns: 100 },
  );
});

function plainRange(spans: readonly Span[], fromRev: number, toRev: number): Span[] | undefined {
  if (fromRev >= toRev) return [];
  const [oldest, newest] = [spans[0], spans.at(-1)];
  if (oldest === undefined || newest === undefined || fromRev < oldest.from || toRev > newest.to)
    return undefined;
  return spans.filter(({ from, to }) => to > fromRev && from < toRev);
}
