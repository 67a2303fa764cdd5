import type { Fields } from "./json.ts";
import { State } from "./state.ts";

/** Records of which some are in storage only. Each call brings into memory what it names, or throws what storage throws. */
export interface Unread {
  /** False when memory has had all that there is to know of `id`. */
  load(collection: string, id: string): boolean;
  loadAll(collection: string): void;
  /** Names of all collections that storage has pages of. */
  collections(): Iterable<string>;
}

/** A state of which memory takes in what somebody asks for. What it answers is the same as if it had all. */
export class PagedState extends State {
  readonly #unread: Unread;

  constructor(unread: Unread) {
    super();
    this.#unread = unread;
  }

  override get(collection: string, id: string): Fields | undefined {
    const record = super.get(collection, id);
    // No change reaches a record whose page was not read, so one that is there is the newest.
    if (record !== undefined || !this.#unread.load(collection, id)) return record;
    return super.get(collection, id);
  }

  override order(collection: string, by?: string): readonly string[] {
    this.#unread.loadAll(collection);
    return super.order(collection, by);
  }

  override collections(): Iterable<string> {
    return new Set([...this.#unread.collections(), ...super.collections()]);
  }
}
