import * as fc from "fast-check";
import { expect, test } from "vitest";
import { sha256 } from "../../../src/protocol/encoding/sha256.ts";

const hexOf = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** What the platform's own implementation returns. */
async function expectedOf(message: Uint8Array): Promise<string> {
  return hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", message)));
}

// From FIPS 180-4 and NIST's examples.
test.each([
  ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  [
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  ],
])("the SHA-256 of %j is the one of the standard", (text, expected) => {
  expect(hexOf(sha256(new TextEncoder().encode(text)))).toBe(expected);
});

test("every length up to four blocks has the hash that the platform returns", async () => {
  for (let length = 0; length <= 256; length++) {
    const message = Uint8Array.from({ length }, (_, index) => (index * 31 + length) & 0xff);
    expect(hexOf(sha256(message))).toBe(await expectedOf(message));
  }
});

test("any message has the hash that the platform returns", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (message) => {
      expect(hexOf(sha256(message))).toBe(await expectedOf(message));
    }),
    { numRuns: 200 },
  );
});

test("a part of a larger buffer is hashed without its surroundings, and stays as it was", async () => {
  const message = Uint8Array.from({ length: 200 }, (_, index) => index).subarray(70, 140);
  const before = message.slice();
  expect(hexOf(sha256(message))).toBe(await expectedOf(before));
  expect(message).toEqual(before);
});

test("no constant depends on the last bits of a root, which an engine may round in another way", () => {
  const isPrime = (n: number) => ![...Array(n).keys()].slice(2).some((divisor) => n % divisor === 0);
  const primes = [...Array(312).keys()].filter((n) => n > 1 && isPrime(n));
  expect(primes).toHaveLength(64);
  for (const root of [...primes.slice(0, 8).map(Math.sqrt), ...primes.map(Math.cbrt)]) {
    const scaled = root * 2 ** 32;
    // The last bit of a double of this size is 2⁻¹⁷ at most.
    expect(Math.abs(scaled - Math.round(scaled))).toBeGreaterThan(2 ** -12);
  }
});
