import type { Fields } from "./json.ts";
import type { Source } from "./state.ts";

/** A collection as an app reads it. What its methods promise is documented at `CollectionReader` in `src/schema`. */
export class RecordsReader {
  readonly #source: () => Source;
  readonly #name: string;
  #ids: readonly string[] | undefined;
  #values: readonly Fields[] | undefined;
  #entries: readonly (readonly [string, Fields])[] | undefined;

  /** `source` is asked at every read, so that one reader can live as long as its room. */
  constructor(source: () => Source, name: string) {
    this.#source = source;
    this.#name = name;
  }

  get(id: string): Fields | undefined {
    return this.#source().get(this.#name, id);
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  ids(): readonly string[] {
    return (this.#ids ??= this.#source().ids(this.#name));
  }

  values(): readonly Fields[] {
    return (this.#values ??= Object.freeze(this.ids().map((id) => this.get(id) as Fields)));
  }

  entries(): readonly (readonly [string, Fields])[] {
    return (this.#entries ??= Object.freeze(
      this.ids().map((id) => Object.freeze([id, this.get(id) as Fields] as const)),
    ));
  }

  get size(): number {
    return this.ids().length;
  }

  /** Records have changed: arrays handed out stand, new ones are made. `membership`: one came or went. */
  forget(membership: boolean): void {
    this.#values = undefined;
    this.#entries = undefined;
    if (membership) this.#ids = undefined;
  }
}
