import { median } from "./statistics.ts";

/** What one trial came to: figures by name, and in words what went wrong. */
export interface Figures {
  readonly [name: string]: number | string | undefined;
  readonly trouble?: string;
}

/** All trials of one row by one system. */
export type Trials = readonly Figures[];

/** A whole run. */
export interface Results {
  readonly command: string;
  readonly date: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly node: string;
    readonly workerd: string;
    /** Where data was kept: for latency, and where the speed of the disk counts. */
    readonly memoryFolder: string;
    readonly diskFolder: string;
  };
  readonly minutes: number;
  /** Row → system → trials. */
  readonly rows: { readonly [row: string]: { readonly [system: string]: Trials } };
}

/** The median of each figure over the trials that have it; the first trouble, if any had one. */
export function summarize(trials: Trials): Figures {
  const names = new Set(trials.flatMap((figures) => Object.keys(figures)));
  const summary: Record<string, number | string> = {};
  for (const name of names) {
    const values = trials.map((figures) => figures[name]);
    const numbers = values.filter((value) => typeof value === "number");
    const words = values.find((value) => typeof value === "string");
    if (numbers.length > 0) summary[name] = median(numbers);
    else if (words !== undefined) summary[name] = words;
  }
  return summary;
}

/** The figures of a row by a system, if it was tried. */
export function figuresOf(results: Results, row: string, system: string): Figures | undefined {
  const trials = results.rows[row]?.[system];
  return trials === undefined || trials.length === 0 ? undefined : summarize(trials);
}
