/** FIPS 180-4 takes its constants from roots of the first 64 primes: the first 32 bits behind the point. */
const primes: number[] = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime > 0)) primes.push(n);

/** `| 0` takes the number modulo 2³², which drops the bits before the point. Of the 53 bits of a double, 35 are used. */
const fractionOf = (root: number) => (root * 2 ** 32) | 0;
const firstState = primes.slice(0, 8).map((prime) => fractionOf(Math.sqrt(prime)));
const roundConstants = primes.map((prime) => fractionOf(Math.cbrt(prime)));

const rotated = (word: number, bits: number) => (word >>> bits) | (word << (32 - bits));

/**
 * Returns the SHA-256 of `message`: 32 bytes. The client and the room need it synchronously. `crypto.subtle` is asynchronous, and
 * pages of insecure origins do not have it.
 */
export function sha256(message: Uint8Array): Uint8Array {
  // One bit follows the message, then zeros, then the message's length in bits. That has 64 bits, and 32 are enough here.
  const padded = new DataView(new ArrayBuffer(((message.length + 72) >> 6) << 6));
  new Uint8Array(padded.buffer).set(message);
  padded.setUint8(message.length, 0x80);
  padded.setUint32(padded.byteLength - 4, message.length * 8);
  let state = firstState;
  for (let start = 0; start < padded.byteLength; start += 64) state = compressed(state, padded, start);
  const digest = new DataView(new ArrayBuffer(32));
  for (const [index, word] of state.entries()) digest.setInt32(index * 4, word);
  return new Uint8Array(digest.buffer);
}

/** Adds a block of 64 bytes to `state`. The letters and the sigmas are those of the standard. */
function compressed(state: readonly number[], message: DataView, start: number): number[] {
  const words: number[] = [];
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (const [round, constant] of roundConstants.entries()) {
    const word = round < 16 ? message.getInt32(start + round * 4) : expanded(words);
    words.push(word);
    const sigma1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
    const sigma0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
    const sum = h + sigma1 + ((e & f) ^ (~e & g)) + constant + word;
    [h, g, f, e] = [g, f, e, (d + sum) | 0];
    [d, c, b, a] = [c, b, a, (sum + sigma0 + ((a & b) ^ (a & c) ^ (b & c))) | 0];
  }
  return [a, b, c, d, e, f, g, h].map((word, index) => (word + (state[index] as number)) | 0);
}

/** The next word of a block's schedule, behind the `words` before it. */
function expanded(words: readonly number[]): number {
  const back = (distance: number) => words.at(-distance) as number;
  const sigma0 = rotated(back(15), 7) ^ rotated(back(15), 18) ^ (back(15) >>> 3);
  const sigma1 = rotated(back(2), 17) ^ rotated(back(2), 19) ^ (back(2) >>> 10);
  return (back(16) + sigma0 + back(7) + sigma1) | 0;
}
