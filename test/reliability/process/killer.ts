/**
 * A thread that watches a file being written to and kills the process that writes, before it can write much more.
 * The thread of the clients has too much to do to be that quick.
 */
import { watch } from "node:fs";
import { parentPort, Worker } from "node:worker_threads";

/** Whom to kill, and upon which write to which file of a folder. */
interface Order {
  readonly pid: number;
  readonly folder: string;
  readonly pattern: RegExp;
  /** Which one of those that follow each other closely: a transaction of many pages comes that far, one of few does not. */
  readonly write: number;
  /** Kills whatever is written after this time. */
  readonly patienceMs: number;
}

/** Writes further apart belong to two transactions. */
const maxGapMs = 2;

export class Killer {
  readonly #thread = new Worker(new URL(import.meta.url));

  constructor() {
    this.#thread.unref();
  }

  /** Answers at once; the blow falls later. */
  strike(order: Order): void {
    this.#thread.postMessage(order, []);
  }
}

parentPort?.on("message", ({ pid, folder, pattern, write, patienceMs }: Order) => {
  const blow = (): void => {
    watcher.close();
    clearTimeout(timer);
    process.kill(pid, "SIGKILL");
  };
  let [writes, writtenAt] = [0, 0];
  const watcher = watch(folder, (_, name) => {
    if (name === null || !pattern.test(name)) return;
    const now = performance.now();
    writes = now - writtenAt > maxGapMs ? 1 : writes + 1;
    writtenAt = now;
    if (writes === write) blow();
  });
  const timer = setTimeout(blow, patienceMs);
});
