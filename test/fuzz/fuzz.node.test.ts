import { expect, it } from "vitest";
import { casesASeed, fuzz } from "./fuzz-world.ts";

const seeds = Array.from({ length: 20 }, (_, index) => index + 1);

it.each(seeds)(
  "a thousand messages of seed %i are answered as they should, and nobody else notices",
  (seed) => {
    const { cases, answers, failure } = fuzz(seed, casesASeed);
    expect(failure).toBeUndefined();
    expect(cases).toBe(casesASeed);
    // It gets through to everything: what is refused at the door alone finds nothing.
    for (const answer of ["accepted", "error invalid", "rejected invalid", "gap", "hello: welcome"])
      expect(answers.get(answer)).toBeGreaterThan(0);
  },
);

it("the same seed is the same again", () => {
  expect(fuzz(7, 200)).toEqual(fuzz(7, 200));
});
