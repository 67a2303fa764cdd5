/** What a run has checked: every sentence that did not hold, for the end of its report. */
export class Findings {
  readonly broken: string[] = [];
  #count = 0;

  /** Notes whether `sentence`, which says what has to hold, does. */
  check(holds: boolean, sentence: string): void {
    this.#count += 1;
    if (holds) return;
    this.broken.push(sentence);
    console.error(`  BROKEN: ${sentence}`);
  }

  /** Prints the verdict, and answers the exit code that goes with it. */
  conclude(): 0 | 1 {
    if (this.broken.length === 0) {
      console.log(`${this.#count} checks, all hold`);
      return 0;
    }
    console.error(`FAILED: ${this.broken.length} of ${this.#count} checks do not hold:`);
    for (const sentence of this.broken) console.error(`  ${sentence}`);
    return 1;
  }
}
