import { useEffect, useMemo, useSyncExternalStore } from "react";
import { equalShallow } from "../replica/subscriptions.ts";

/** What can be selected from: the state of a room, the others in it. */
export interface Selectable<T> {
  /** Another value whenever what can be selected is another. */
  readonly version: unknown;
  /** Runs a selector. What it reads is added to `reads`, by names that `follow` knows. */
  run<S>(selector: (from: T) => S, reads: Set<string>): S;
  /** Calls `told` when something of what it then follows has changed. */
  watch(told: () => void): Follower;
}

interface Follower {
  follow(reads: ReadonlySet<string>): void;
  end(): void;
}

/**
 * What `selector` answers. The component renders again when that has changed, compared shallowly; as long as it has
 * not, it is the same object. A selector may be another function in every render: the subscription is changed only
 * when it has read something else.
 */
export function useSelection<T, S>(source: Selectable<T>, selector: (from: T) => S): S {
  const selection = useMemo(() => new Selection<T, S>(source), [source]);
  const reading = useMemo(() => new Reading(selection, selector), [selection, selector]);
  // Before React's own effects, which subscribe.
  useEffect(() => selection.commit(reading), [selection, reading]);
  return useSyncExternalStore(selection.subscribe, reading.read, reading.read);
}

/** One selector on one source. Rendering makes it and may throw it away: it is not told of anything. */
class Reading<T, S> {
  readonly #selection: Selection<T, S>;
  readonly #selector: (from: T) => S;
  reads: ReadonlySet<string> = new Set();
  /** What the selector last answered, at this version of the source. */
  answer: { readonly version: unknown; readonly value: S } | undefined;

  constructor(selection: Selection<T, S>, selector: (from: T) => S) {
    this.#selection = selection;
    this.#selector = selector;
  }

  readonly read = (): S => {
    const { source, committed } = this.#selection;
    const { version } = source;
    if (this.answer !== undefined && this.answer.version === version) return this.answer.value;
    const reads = new Set<string>();
    const value = source.run(this.#selector, reads);
    const previous = this.answer ?? committed?.answer;
    this.reads = reads;
    this.answer = {
      version,
      value: previous !== undefined && equalShallow(previous.value, value) ? previous.value : value,
    };
    return this.answer.value;
  };
}

/** What a component has on the screen, and its subscription. */
class Selection<T, S> {
  readonly source: Selectable<T>;
  committed: Reading<T, S> | undefined;
  #follower: Follower | undefined;

  constructor(source: Selectable<T>) {
    this.source = source;
  }

  commit(reading: Reading<T, S>): void {
    this.committed = reading;
    this.#follow();
  }

  readonly subscribe = (told: () => void): (() => void) => {
    const follower = this.source.watch(() => {
      told(); // React reads again
      this.#follow();
    });
    this.#follower = follower;
    this.#follow();
    return () => {
      follower.end();
      this.#follower = undefined;
    };
  };

  #follow(): void {
    if (this.#follower === undefined || this.committed === undefined) return;
    try {
      this.committed.read(); // the source may have changed since the render
    } catch {
      // React, which reads as well, renders the component again and has it throw there.
    }
    this.#follower.follow(this.committed.reads);
  }
}
