import { Timeline } from "../../testing/timeline.ts";
import { board, closedBoard } from "./board.ts";
import { Dice } from "./dice.ts";
import { drawPlan, type FaultName, type Plan } from "./plan.ts";

/** What happened in a run, in numbers. */
class Figures {
  readonly counts = new Map<string, number>();

  count(what: string, times = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + times);
  }
}

export interface StageOptions {
  /** Whether every step is kept. */
  readonly isTraced?: boolean;
  /** Faults to be left out. */
  readonly without?: readonly FaultName[];
  /** What is not left to chance. */
  readonly plan?: Partial<Plan>;
}

/** What everything in a simulated world shares: its time, its chance, and where it tells what happens. */
export class Stage {
  readonly clock = new Timeline(1_800_000_000_000);
  readonly dice: Dice;
  readonly plan: Plan;
  readonly figures = new Figures();
  /** All that happened, when it is asked for. */
  readonly trace: string[] = [];
  readonly #isTraced: boolean;
  /**
   * The disk was put back and nobody told the room, which then breaks promises that it does not know of. All that is
   * left to judge is what everybody comes to in the end.
   */
  isLawless = false;
  /** Client ids that more than one page has had at once. */
  readonly sharedIds = new Set<string>();
  /** Client ids of which not all could be kept. */
  readonly unkeptIds = new Set<string>();
  #failure: string | undefined;

  constructor(seed: number, { isTraced = false, without = [], plan }: StageOptions = {}) {
    this.dice = new Dice(seed);
    // By the seed and not by the dice, so that the seeds of named tests run as they did.
    this.plan = { ...drawPlan(this.dice, without), undoesRestores: seed % 3 === 0, ...plan };
    this.#isTraced = isTraced;
  }

  /** The room's definition. */
  get board(): typeof board {
    return this.plan.isClosed ? closedBoard : board;
  }

  /** Whose notes somebody is shown; undefined for everybody's. */
  ownerOf({ user }: { readonly user: { readonly id: string } }): string | undefined {
    return this.plan.isClosed ? user.id : undefined;
  }

  /** Whether an id of this client may name one call here and another there. */
  isDoubted(secret: string): boolean {
    return this.sharedIds.has(secret) || this.unkeptIds.has(secret);
  }

  /** The first thing that must not have happened. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Notes what must not happen. It does not throw: whoever called may catch what is thrown. */
  fail(what: string): void {
    if (!this.isLawless) this.failForGood(what);
  }

  /** Notes what must not happen, whatever was done to the disk. */
  failForGood(what: string): void {
    this.note("FAILED", what);
    this.#failure ??= what;
  }

  /** Of a word that is a function, what it answers. */
  note(...words: readonly unknown[]): void {
    if (!this.#isTraced) return;
    const said = words.map((word) => (typeof word === "function" ? String(word()) : word));
    this.trace.push(`${this.clock.now - 1_800_000_000_000} ${said.join(" ")}`);
  }
}
