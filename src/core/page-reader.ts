/**
 * Reads pages from storage in the midst of whatever needs them, the app's code included. That may catch what a failing
 * read throws, or have it taken for a bug of its own: {@link guard} sees to it that neither hides it.
 */
export class PageReader {
  /** Reads the page and takes it into memory; answers its ids, sorted. */
  readonly #read: (number: number) => string[];
  #failures = 0;
  #failure: unknown;

  constructor(read: (number: number) => string[]) {
    this.#read = read;
  }

  read(number: number): string[] {
    try {
      return this.#read(number);
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
