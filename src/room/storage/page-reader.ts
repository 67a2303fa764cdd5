import type { ReadGuard } from "../engine/engine-state.ts";
import type { StoredPage } from "./room-storage.ts";

/**
 * Reads pages from storage in the midst of whatever needs them, the app's code included. That may catch what a failing
 * read throws, or have it taken for a bug of its own: {@link guard} sees to it that neither hides it.
 */
export class PageReader implements ReadGuard {
  readonly #read: (number: number) => StoredPage;
  /** Takes a page into memory and returns its ids, sorted. */
  readonly #load: (page: StoredPage) => string[];
  #failures = 0;
  #failure: unknown;
  #isTorn = false;

  constructor(read: (number: number) => StoredPage, load: (page: StoredPage) => string[]) {
    this.#read = read;
    this.#load = load;
  }

  /** Whether a page was taken in only in part: memory may then have records without their authors and handles. */
  get isTorn(): boolean {
    return this.#isTorn;
  }

  read(number: number): string[] {
    try {
      const page = this.#read(number);
      this.#isTorn = true;
      const ids = this.#load(page);
      this.#isTorn = false;
      return ids;
    } catch (error) {
      this.#failures += 1;
      this.#failure = error;
      throw error;
    }
  }

  /** Answers what `run` does. Throws what storage threw meanwhile, whatever `run` made of it. */
  guard<T>(run: () => T): T {
    const before = this.#failures;
    try {
      return run();
    } finally {
      this.#assertNoneSince(before);
    }
  }

  #assertNoneSince(failures: number): void {
    if (this.#failures > failures) throw this.#failure;
  }
}
