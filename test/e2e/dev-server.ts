import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Claim, Shape } from "../../demo/board.ts";
import { freePort, watchOver } from "../reliability/process/server-process.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const startTimeoutMs = 60_000;
const stopTimeoutMs = 10_000;
/** What is kept of the output, in characters: enough to see why a start failed. */
const maxLogLength = 64_000;

/** What `GET /rooms/<id>` answers. */
export interface RoomJson {
  readonly epoch: string;
  readonly rev: number;
  readonly collections: {
    readonly shapes: Readonly<Record<string, Shape>>;
    readonly claims: Readonly<Record<string, Claim>>;
  };
}

/** What is served: a command that takes the options of `wrangler dev`, and the folder to run it in. */
export interface Served {
  readonly folder: string;
  readonly command: readonly [program: string, ...args: string[]];
}

const demo: Served = { folder: repository, command: ["npm", "start", "--"] };

/** The demo, or another project, as `npm start -- --port N --persist-to DIR` runs it, on a port and on data of its own. */
export class DevServer {
  readonly url: string;
  readonly #served: Served;
  readonly #port: number;
  readonly #dataPath: string;
  #run: { readonly npm: ChildProcess; readonly group: number; readonly watchdog: ChildProcess } | undefined;
  #log = "";

  private constructor(served: Served, port: number, dataPath: string) {
    this.#served = served;
    this.url = `http://127.0.0.1:${port}`;
    this.#port = port;
    this.#dataPath = dataPath;
  }

  /** Starts a server with no rooms yet; resolves once it answers. */
  static async start(served: Served = demo): Promise<DevServer> {
    const server = new DevServer(served, await freePort(), await mkdtemp(join(tmpdir(), "deltaroom-e2e-")));
    await server.resume();
    return server;
  }

  /** The end of what the server has printed. */
  get log(): string {
    return this.#log;
  }

  /** Starts it again after `kill`, on the same port and the same data; resolves once it answers. */
  async resume(): Promise<void> {
    if (this.#run) throw new Error("the server is running already");
    const [program, ...args] = this.#served.command;
    args.push("--port", String(this.#port), "--persist-to", this.#dataPath);
    // A group of its own: npm, wrangler, esbuild and workerd can then be ended at one blow.
    const npm = spawn(program, args, {
      cwd: this.#served.folder,
      env: withoutTestRunner(process.env),
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    if (npm.pid === undefined) throw new Error("npm could not be started");
    for (const output of [npm.stdout, npm.stderr]) {
      output?.setEncoding("utf8").on("data", (text: string) => {
        this.#log = (this.#log + text).slice(-maxLogLength);
      });
    }
    this.#run = { npm, group: npm.pid, watchdog: watchOver(npm.pid) };
    await this.#untilItAnswers(npm);
  }

  /** Ends it as a crash of the machine would, at this very moment: SIGKILL to workerd and all others. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Ends it for good, and its data with it. */
  async stop(): Promise<void> {
    if (this.#run) await this.#end("SIGTERM");
    await rm(this.#dataPath, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  /** The room as it is on disk. */
  async readRoom(roomId: string): Promise<RoomJson> {
    const response = await fetch(`${this.url}/rooms/${roomId}`);
    if (!response.ok) throw new Error(`GET /rooms/${roomId}: ${response.status} ${await response.text()}`);
    return (await response.json()) as RoomJson;
  }

  async #untilItAnswers(npm: ChildProcess): Promise<void> {
    const deadline = Date.now() + startTimeoutMs;
    while (Date.now() < deadline) {
      if (npm.exitCode !== null || npm.signalCode !== null)
        throw new Error(`npm start has ended:\n${this.#log}`);
      const response = await fetch(this.url, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
      await response?.arrayBuffer();
      if (response !== undefined && response.status < 500) return;
      await sleep(100);
    }
    await this.kill();
    throw new Error(`npm start does not answer after ${startTimeoutMs} ms:\n${this.#log}`);
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const run = this.#run;
    if (!run) throw new Error("the server is not running");
    this.#run = undefined;
    run.watchdog.kill("SIGKILL");
    const { npm, group } = run;
    const hasEnded = npm.exitCode !== null || npm.signalCode !== null;
    const ended = hasEnded ? Promise.resolve([]) : once(npm, "exit");
    signalGroup(group, signal);
    const isSlow = await Promise.race([ended.then(() => false), sleep(stopTimeoutMs, true, { ref: false })]);
    if (isSlow) signalGroup(group, "SIGKILL");
    while (signalGroup(group, 0) && (await isAnswering(this.url))) await sleep(50);
    signalGroup(group, "SIGKILL");
  }
}

/** False when nobody is left in the group. */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}

async function isAnswering(url: string): Promise<boolean> {
  return await fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
    () => true,
    () => false,
  );
}

/** What vitest sets for its own workers, `NODE_ENV=test` above all, would make another bundle. */
function withoutTestRunner(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = /^(VITEST|NODE_ENV$|TEST$|DEV$|PROD$|MODE$|SSR$|BASE_URL$)/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !own.test(name)));
}
