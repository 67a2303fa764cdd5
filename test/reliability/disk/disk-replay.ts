import { dirname } from "node:path";
import type { Chance } from "../support/seeded-random.ts";
import type { SystemCall } from "./strace.ts";

type Change = Extract<SystemCall, { kind: "write" | "truncate" }>;

/** Disks write sectors whole, and in any order. */
const sectorBytes = 512;

interface File {
  /** What is on the disk for certain, but for `newest`. */
  content: Buffer;
  /** What the last sync made durable. */
  newest: readonly Change[];
  /** What no sync has begun after yet. */
  pending: Change[];
}

/** What is on the disk when the power goes: durable content only; all but the last sync; durable, and some of the rest. */
export type PowerCut = "durable" | "without-last-sync" | "torn";

/**
 * A folder as the disk has it, by the strictest reading of POSIX: a file holds what was written before its last sync
 * began, and has its name once the folder was synced.
 */
export class DiskReplay {
  readonly #files = new Map<string, File>();
  /** Durable names. */
  #named: ReadonlyMap<string, File> = new Map();
  #lastSynced: File | undefined;
  /** Of syncs that have begun: what they will have made durable. */
  readonly #syncing = new Map<
    SystemCall,
    { readonly pending: readonly Change[]; readonly names: ReadonlyMap<string, File> }
  >();
  syncs = 0;

  begin(call: SystemCall): void {
    if (call.kind !== "sync") return;
    const pending = this.#files.get(call.path)?.pending ?? [];
    this.#syncing.set(call, { pending: [...pending], names: new Map(this.#files) });
  }

  end(call: SystemCall): void {
    switch (call.kind) {
      case "send":
        return;
      case "create":
        if (!this.#files.has(call.path))
          this.#files.set(call.path, { content: Buffer.alloc(0), newest: [], pending: [] });
        return;
      case "unlink":
        return void this.#files.delete(call.path);
      case "write":
      case "truncate":
        return void this.#fileAt(call.path).pending.push(call);
      case "sync":
        return this.#synced(call);
      default:
        return call satisfies never;
    }
  }

  /** What a file holds as long as the machine runs. */
  written(path: string): Buffer | undefined {
    const file = this.#files.get(path);
    return file && apply(apply(file.content, file.newest), file.pending);
  }

  /** The files that are there after the power was cut now, by path. */
  cut(kind: PowerCut, chance: Chance): Map<string, Buffer> {
    const contents = new Map<string, Buffer>();
    for (const [path, file] of this.#named) {
      const isSpared = kind === "without-last-sync" && file === this.#lastSynced;
      const durable = isSpared ? file.content : apply(file.content, file.newest);
      contents.set(path, kind === "torn" ? apply(durable, tear(file.pending, chance)) : durable);
    }
    return contents;
  }

  #synced(call: Extract<SystemCall, { kind: "sync" }>): void {
    const { pending = [], names = new Map<string, File>() } = this.#syncing.get(call) ?? {};
    this.#syncing.delete(call);
    this.syncs += 1;
    const file = this.#files.get(call.path);
    if (file === undefined) {
      const others = [...this.#named].filter(([path]) => dirname(path) !== call.path);
      const inside = [...names].filter(([path]) => dirname(path) === call.path);
      this.#named = new Map([...others, ...inside]);
      return;
    }
    if (pending.length === 0) return;
    file.content = apply(file.content, file.newest);
    file.newest = pending;
    file.pending = file.pending.filter((change) => !pending.includes(change));
    this.#lastSynced = file;
  }

  #fileAt(path: string): File {
    const file = this.#files.get(path);
    if (file === undefined) throw new Error(`${path} is written to, and nobody has made it`);
    return file;
  }
}

function apply(content: Buffer, changes: readonly Change[]): Buffer {
  let length = content.byteLength;
  let capacity = length;
  for (const change of changes) {
    length =
      change.kind === "truncate" ? change.length : Math.max(length, change.offset + change.data.byteLength);
    capacity = Math.max(capacity, length);
  }
  const result = Buffer.alloc(capacity);
  content.copy(result);
  let end = content.byteLength;
  for (const change of changes) {
    if (change.kind === "truncate") {
      result.fill(0, change.length, Math.max(end, change.length));
      end = change.length;
    } else {
      change.data.copy(result, change.offset);
      end = Math.max(end, change.offset + change.data.byteLength);
    }
  }
  return result.subarray(0, length);
}

/** Some sectors of what was written, those of the later writes perhaps and not those of the earlier ones. */
function tear(changes: readonly Change[], chance: Chance): Change[] {
  const share = chance.next();
  const torn: Change[] = [];
  for (const change of changes) {
    if (change.kind === "truncate") {
      if (chance.happens(share)) torn.push(change);
      continue;
    }
    const { offset, data } = change;
    for (let from = 0; from < data.byteLength;) {
      const to = Math.min(
        data.byteLength,
        (Math.floor((offset + from) / sectorBytes) + 1) * sectorBytes - offset,
      );
      if (chance.happens(share))
        torn.push({ ...change, offset: offset + from, data: data.subarray(from, to) });
      from = to;
    }
  }
  return torn;
}
