import { finishTurn, Timeline } from "./timeline.ts";

/**
 * The time of a test room and of its clients. It begins at `Date.now()` and passes as that does, by the timers that the
 * test has at the moment, real or fake; and it can be put ahead, so that nothing has to be waited for.
 */
export interface TestClock {
  /** Milliseconds since the epoch. It never goes back, whatever `Date` does. */
  readonly now: number;
  /** Has `ms` pass at once, with all that happens in them: latency, backoff, heartbeats. */
  advance(ms: number): Promise<void>;
  /** Time stands still from here on, but for `advance` and `settle`. */
  stop(): void;
  /** Time passes by itself again. */
  start(): void;
}

/** What is to happen at a later time. */
interface Task {
  /** Whether somebody waits for it, so that the room is not at rest before it has happened. */
  readonly isWork: () => boolean;
}

const idle = () => false;

export class SimulatedClock implements TestClock {
  readonly #hasWork: () => boolean;
  readonly #failed: (error: unknown) => void;
  readonly #timeline: Timeline;
  readonly #tasks = new Set<Task>();
  #now: number;
  /** What `Date.now()` was when it was last asked. */
  #dateMs = Date.now();
  #isStopped = false;
  #isClosed = false;
  #isRunning = false;
  /** Takes back the platform's timer, of which there is one at most: for the next task. */
  #disarm: () => void = () => {};

  /** `hasWork`: whether anything is under way, for which a process has to stay; `failed` is told what a task has thrown. */
  constructor(hasWork: () => boolean, failed: (error: unknown) => void) {
    this.#hasWork = hasWork;
    this.#failed = failed;
    this.#now = this.#dateMs;
    this.#timeline = new Timeline(this.#now);
  }

  get now(): number {
    const dateMs = Date.now();
    // One that is set back, as by a test that fakes it, takes no time.
    if (!this.#isStopped) this.#now += Math.max(0, dateMs - this.#dateMs);
    this.#dateMs = dateMs;
    return this.#now;
  }

  /** Whether a task is left that somebody waits for. */
  get hasTasks(): boolean {
    for (const { isWork } of this.#tasks) if (isWork()) return true;
    return false;
  }

  /** Calls `run` after `delayMs`; answers how to cancel that. */
  after(delayMs: number, run: () => void, isWork: () => boolean = idle): () => void {
    const task: Task = { isWork };
    this.#tasks.add(task);
    const cancel = this.#timeline.at(this.now + Math.max(0, Math.ceil(delayMs)), () => {
      this.#tasks.delete(task);
      run();
    });
    this.#arm();
    return () => {
      this.#tasks.delete(task);
      cancel();
    };
  }

  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`time passes by 0 ms or more, not by ${ms}`);
    const until = this.now + ms;
    await finishTurn();
    while (this.#runNext(until)) await finishTurn();
    this.#now = Math.max(this.now, until);
    this.#arm();
  }

  /** Puts time ahead from one task to the next until `isDone`; false when `maxMs` or `maxTasks` have not come to that. */
  async advanceUntil(isDone: () => boolean, maxMs: number, maxTasks: number): Promise<boolean> {
    const until = this.now + maxMs;
    for (let tasks = 0; ; tasks++) {
      await finishTurn();
      const isOver = isDone();
      if (!isOver && tasks < maxTasks && this.#runNext(until)) continue;
      this.#arm();
      return isOver;
    }
  }

  stop(): void {
    this.#now = this.now;
    this.#isStopped = true;
    this.#disarm();
  }

  start(): void {
    this.#dateMs = Date.now();
    this.#isStopped = false;
    this.#arm();
  }

  /** Nothing happens any more. */
  close(): void {
    this.stop();
    this.#isClosed = true;
    this.#tasks.clear();
  }

  #runNext(until: number): boolean {
    const at = this.#timeline.nextAt;
    if (this.#isClosed || at === undefined || at > until) return false;
    this.#now = Math.max(this.now, at);
    try {
      this.#timeline.step(until);
    } catch (error) {
      this.#failed(error);
    }
    return true;
  }

  /** Sees to it that the next task is run in its time: behind the current turn when that is now, by the platform's timer else. */
  #arm(): void {
    this.#disarm();
    const at = this.#timeline.nextAt;
    if (at === undefined || this.#isRunning || this.#isClosed) return;
    const waitMs = at - this.now;
    if (waitMs <= 0) return void Promise.resolve().then(async () => await this.#run());
    if (this.#isStopped) return;
    const clear = clearTimeout; // of the same kind: a test may fake timers, or stop faking them, meanwhile
    const timer = setTimeout(() => void this.#run(), waitMs);
    this.#disarm = () => {
      this.#disarm = () => {};
      clear(timer);
    };
    // What nobody waits for, such as a heartbeat, must not keep a process of Node from ending.
    if (!this.#hasWork()) (timer as { unref?: () => void }).unref?.();
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    // Each as an event of its own: what it has settled is told before the next.
    while (this.#runNext(this.now)) await finishTurn();
    this.#isRunning = false;
    this.#arm();
  }
}
