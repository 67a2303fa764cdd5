import { generateKeyBetween, generateNKeysBetween } from "fractional-indexing";
import { isOrderKey, maxOrderKeyLength } from "../schema/order-key.ts";

/**
 * A key for a record between two others of a list; null or left out stands for the list's end. It belongs into the payload
 * of a call, never into a mutator: those run several times, and each time it is another.
 *
 * Two who insert at the same place at the same time get different keys, but for one time in 230,000, and then the room gives
 * one of them another. Where `before` is not below `after`, as when somebody has moved one of them meanwhile, the key is
 * close behind `before`. Throws a RangeError for a neighbour that is no order key.
 */
export function orderBetween(before?: string | null, after?: string | null): string {
  return slotBetween(neighbour(before), neighbour(after)) ?? nearest(before, after);
}

/**
 * `count` keys in order, as {@link orderBetween} makes one. They stay together: what somebody else inserts at the same
 * place at the same time comes before or behind all of them. Throws a RangeError for a count that is none.
 */
export function ordersBetween(
  before: string | null | undefined,
  after: string | null | undefined,
  count: number,
): string[] {
  if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`${count} is no number of keys`);
  const slot = slotBetween(neighbour(before), neighbour(after));
  const keys = slot === undefined ? [] : generateNKeysBetween(slot, slotAfter(slot), count);
  // Too deep for as many: all get one key, and with that the room's attention.
  if (keys.length === 0 || keys.some((key) => key.length > maxOrderKeyLength))
    return Array.from({ length: count }, () => nearest(before, after));
  return keys;
}

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * A random place between two keys, of which there are 62 × 62 × 60, with room behind it; undefined where only keys that
 * are too long would fit. Three characters of jitter are enough where a room repairs what they do not prevent.
 */
function slotBetween(before: string | null, after: string | null): string | undefined {
  const slot = placeBetween(before, after) + randomDigit(0, 62) + randomDigit(0, 62) + randomDigit(1, 61);
  return slot.length > maxOrderKeyLength ? undefined : slot;
}

/** A text such that every key that begins with it, and is longer, is between the two. */
function placeBetween(before: string | null, after: string | null): string {
  if (before !== null && after !== null && before >= after) return `${before}0`;
  let place = generateKeyBetween(before, after);
  while (after?.startsWith(place)) place = generateKeyBetween(before, place);
  return place;
}

/** The slot behind `slot`, whose last digit is not the largest. */
function slotAfter(slot: string): string {
  return slot.slice(0, -1) + digits[digits.indexOf(slot.at(-1) as string) + 1];
}

function randomDigit(from: number, until: number): string {
  return digits[from + Math.floor(Math.random() * (until - from))] as string;
}

/** In the stead of a key that would be too long: a neighbour's own, which has the room make both new. */
function nearest(before: string | null | undefined, after: string | null | undefined): string {
  return (before ?? after) as string;
}

function neighbour(key: string | null | undefined): string | null {
  if (key === undefined || key === null) return null;
  if (!isOrderKey(key)) throw new RangeError(`${JSON.stringify(key)} is no order key`);
  return key;
}
