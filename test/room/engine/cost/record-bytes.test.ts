import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recordBytesOver } from "../../../../src/room/engine/cost/record-bytes.ts";
import { jsonBytes, type Fields } from "../../../../src/model/json.ts";
import type { Json } from "../../../../src/index.ts";

const value: fc.Arbitrary<Json> = fc.jsonValue({ maxDepth: 3 });
const fields = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), value) as fc.Arbitrary<Fields>;

/** A list of empty lists that counts how often an item of it is read. */
function countedList(length: number): { list: readonly Json[]; reads: () => number } {
  let reads = 0;
  const list = new Proxy(
    Array.from({ length }, () => []),
    {
      get(target, key, receiver) {
        reads += 1;
        return Reflect.get(target, key, receiver) as unknown;
      },
    },
  );
  return { list, reads: () => reads };
}

describe("the size of a record that was made of another", () => {
  it("is over a limit exactly when its JSON text is, however often it was patched", () => {
    fc.assert(
      fc.property(fields, fc.array(fields, { maxLength: 5 }), fc.nat(400), (first, patches, maxBytes) => {
        let record = first;
        let before: Fields | undefined;
        for (const patch of [{}, ...patches]) {
          record = { ...record, ...patch };
          const bytes = jsonBytes(record);
          expect(recordBytesOver(record, maxBytes, before)).toBe(bytes > maxBytes ? bytes : undefined);
          before = record;
        }
      }),
    );
  });

  it("is known without the fields that are as they were, of text and of many small values alike", () => {
    for (const maxBytes of [1_000_000, 10_000]) {
      const { list, reads } = countedList(5_000);
      const record: Fields = { n: 0, list };
      recordBytesOver(record, maxBytes);
      const readOnce = reads();
      expect(readOnce).toBeGreaterThan(5_000);
      let before = record;
      for (let n = 1; n <= 10; n++) {
        const patched: Fields = { ...before, n };
        recordBytesOver(patched, maxBytes, before);
        before = patched;
      }
      expect(reads()).toBe(readOnce);
    }
  });
});
