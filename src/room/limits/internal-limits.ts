import { KB, MB } from "./units.ts";

/**
 * The sizes and times by which the room stores its state. They trade rows written, memory and the time of a wake against each
 * other; the benchmark was run with the defaults. Tests set them to meet rare paths early.
 */
export interface InternalLimits {
  /** A journal row, of which the platform takes 2 MB. */
  readonly maxRowBytes: number;
  /** Flushes that the ring buffer holds. */
  readonly maxRingFlushes: number;
  /** Bytes of the flushes that the ring buffer holds, and of journal that one checkpoint covers. */
  readonly maxRingBytes: number;
  /** Bytes of all history, the ring buffer included; nor more than a snapshot, which would be sent in its place. */
  readonly maxHistoryBytes: number;
  /** Where a page is split: small enough to write often, large enough to be few. */
  readonly pageBytes: number;
  /** Time between two checksums in the updates of a busy room: each takes some 20 bytes a collection. */
  readonly checksumIntervalMs: number;
  /** A quiet room writes its checkpoint after this time, well before it hibernates. */
  readonly quietCheckpointMs: number;
  /** Deleted records whose deletion `changedByOthers` still knows. */
  readonly maxTombstones: number;
  /** Characters of an order key above which the room gives a record, and its neighbours, shorter ones. */
  readonly longOrderKeyLength: number;
  /** Records that get shorter order keys at once: each is a change that everybody is sent. */
  readonly maxShortenedOrderKeys: number;
  /** Clients that have left of which is remembered what they had used up, so that coming back gives nothing; until the room sleeps. */
  readonly maxLeavers: number;
}

/** The defaults. */
export const internalDefaults: InternalLimits = {
  maxRowBytes: 1_900_000,
  maxRingFlushes: 1_024,
  maxRingBytes: 4 * MB,
  maxHistoryBytes: 8 * MB,
  pageBytes: 64 * KB,
  checksumIntervalMs: 5_000,
  quietCheckpointMs: 3_000,
  maxTombstones: 1_024,
  longOrderKeyLength: 48,
  maxShortenedOrderKeys: 256,
  maxLeavers: 4_096,
};
