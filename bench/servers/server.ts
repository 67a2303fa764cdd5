import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { watchOver } from "../../test/reliability/process/server-process.ts";

const startTimeoutMs = 30_000;
const pollIntervalMs = 20;
const maxLogLength = 16_000;

/** What to run, and where it will answer. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly url: string;
}

/** A server in a process of its own. It ends with this process, whatever becomes of that. */
export class Server {
  readonly url: string;
  readonly #command: Command;
  #run: { readonly child: ChildProcess; readonly watchdog: ChildProcess } | undefined;
  #log = "";

  constructor(command: Command) {
    this.#command = command;
    this.url = command.url;
  }

  get pid(): number {
    const pid = this.#run?.child.pid;
    if (pid === undefined) throw new Error("the server is not running");
    return pid;
  }

  /** The end of what it has printed. */
  get log(): string {
    return this.#log;
  }

  /** Whether it has ended by itself. */
  get hasFailed(): boolean {
    return this.#run !== undefined && hasEnded(this.#run.child);
  }

  /** Starts it, on the same port and the same data each time, and waits until it answers. */
  async start(): Promise<void> {
    const { program, args, cwd } = this.#command;
    const child = spawn(program, args, { cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    if (child.pid === undefined) throw new Error(`${program} could not be started`);
    for (const output of [child.stdout, child.stderr]) {
      output?.setEncoding("utf8").on("data", (text: string) => {
        this.#log = (this.#log + text).slice(-maxLogLength);
      });
    }
    this.#run = { child, watchdog: watchOver(child.pid) };
    const deadline = Date.now() + startTimeoutMs;
    while (!(await isAnswering(this.url))) {
      if (hasEnded(child)) throw new Error(`the server has ended by itself:\n${this.#log}`);
      if (Date.now() > deadline) throw new Error(`the server does not answer:\n${this.#log}`);
      await sleep(pollIntervalMs);
    }
  }

  /** Ends it at this very moment, by SIGKILL. */
  async kill(): Promise<void> {
    const run = this.#run;
    this.#run = undefined;
    if (run === undefined) return;
    if (!hasEnded(run.child)) {
      const ended = once(run.child, "exit");
      run.child.kill("SIGKILL");
      await ended;
    }
    run.watchdog.kill("SIGKILL");
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function isAnswering(url: string): Promise<boolean> {
  return await fetch(url, { signal: AbortSignal.timeout(2_000), headers: { Connection: "close" } }).then(
    async (response) => {
      await response.arrayBuffer();
      return true;
    },
    () => false,
  );
}
