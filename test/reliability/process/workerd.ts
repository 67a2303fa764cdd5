import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { wranglerBin, wranglerEnv } from "../../../scripts/wrangler-process.ts";
import { freePort, watchOver } from "./server-process.ts";

const repository = fileURLToPath(new URL("../../..", import.meta.url));
/** The pinned workerd itself: what stands in `.bin` may be a script that starts it. */
const { default: workerdBin } = createRequire(import.meta.url)("workerd") as { default: string };
const startTimeoutMs = 30_000;
const pollIntervalMs = 10;
/** What is kept of the output, in characters. */
const maxLogLength = 64_000;
/** The folder below `dataPath` in which the rooms are, one database each. */
const uniqueKey = "rooms";

export interface WorkerdOptions {
  /** The Worker as {@link bundle} answers it, to be bundled once for many servers; the demo's when left out. */
  readonly script?: string;
  /** A command to run workerd under, `["strace", "-D", …]`; it has to become workerd, so that `pid` is the runtime's. */
  readonly under?: readonly string[];
  /** What the Worker is told from outside; left out, anyone can join its rooms, as `npm start` has them. */
  readonly settings?: { readonly [name: string]: string };
}

const allowAnonymous = { DELTAROOM_ALLOW_ANONYMOUS: "true" };

/** Bundles a Worker as `wrangler deploy` would, and answers its one module. The entry is named from the repository's root. */
export async function bundle(entry = "src/worker.ts"): Promise<string> {
  const outdir = await mkdtemp(join(tmpdir(), "deltaroom-bundle-"));
  try {
    const args = [wranglerBin, "deploy", entry, "--config", "wrangler.toml", "--dry-run", "--outdir", outdir];
    await promisify(execFile)(process.execPath, args, { cwd: repository, env: wranglerEnv });
    const [name = ""] = entry.split("/").slice(-1);
    return await readFile(join(outdir, name.replace(/\.ts$/, ".js")), "utf8");
  } finally {
    await rm(outdir, { recursive: true, force: true });
  }
}

/** The runtime alone, `workerd serve` with no proxy before it: rooms on a real disk, on a port and in a folder of their own. */
export class Workerd {
  readonly url: string;
  readonly #folder: string;
  readonly #under: readonly string[];
  #run: { readonly workerd: ChildProcess; readonly watchdog: ChildProcess } | undefined;
  #log = "";

  private constructor(url: string, folder: string, under: readonly string[]) {
    this.url = url;
    this.#folder = folder;
    this.#under = under;
  }

  /** Makes a server with no rooms; it does not run yet, so that its data may be laid down first. */
  static async create({
    script,
    under = [],
    settings = allowAnonymous,
  }: WorkerdOptions = {}): Promise<Workerd> {
    const worker = script ?? (await bundle());
    const folder = await mkdtemp(join(tmpdir(), "deltaroom-workerd-"));
    const port = await freePort();
    await mkdir(join(folder, "data", uniqueKey), { recursive: true });
    await writeFile(join(folder, "worker.js"), worker);
    await writeFile(join(folder, "config.capnp"), await configuration(port, settings));
    return new Workerd(`http://127.0.0.1:${port}`, folder, under);
  }

  /** Makes a server with no rooms, and starts it. */
  static async start(options: WorkerdOptions = {}): Promise<Workerd> {
    const server = await Workerd.create(options);
    await server.start();
    return server;
  }

  /** Where the databases of the rooms are: `<id of the object>.sqlite`, with `-wal` beside it. */
  get dataPath(): string {
    return join(this.#folder, "data", uniqueKey);
  }

  /** The process of the runtime. Throws when none runs. */
  get pid(): number {
    if (this.#run?.workerd.pid === undefined) throw new Error("workerd is not running");
    return this.#run.workerd.pid;
  }

  /** The end of what the server has printed. */
  get log(): string {
    return this.#log;
  }

  /** Starts it, on the same port and the same data each time. False when it was killed before it answered. */
  async start(): Promise<boolean> {
    if (this.#run) throw new Error("workerd is running already");
    const [program, ...args] = [...this.#under, workerdBin, "serve", "config.capnp"];
    const workerd = spawn(program, args, {
      cwd: this.#folder,
      // A group of its own, so that whatever it was run under ends with it.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    if (workerd.pid === undefined) throw new Error(`${program} could not be started`);
    for (const output of [workerd.stdout, workerd.stderr]) {
      output?.setEncoding("utf8").on("data", (text: string) => {
        this.#log = (this.#log + text).slice(-maxLogLength);
      });
    }
    const run = { workerd, watchdog: watchOver(workerd.pid) };
    this.#run = run;
    const deadline = Date.now() + startTimeoutMs;
    while (this.#run === run) {
      if (hasEnded(workerd)) throw new Error(`workerd has ended by itself:\n${this.#log}`);
      if (await isAnswering(this.url)) return true;
      if (Date.now() > deadline) throw new Error(`workerd does not answer:\n${this.#log}`);
      await sleep(pollIntervalMs);
    }
    return false;
  }

  /**
   * Ends the runtime at this very moment, by SIGKILL; or when `strike` sees fit, which may have it done by somebody
   * else. Resolves once the process is gone. It may be starting still.
   */
  async kill(strike = (pid: number): void => void process.kill(pid, "SIGKILL")): Promise<void> {
    const { pid } = this;
    const run = this.#run;
    if (!run || hasEnded(run.workerd)) throw new Error(`workerd has ended by itself:\n${this.#log}`);
    this.#run = undefined;
    const ended = once(run.workerd, "exit");
    strike(pid);
    await ended;
    run.watchdog.kill("SIGKILL");
  }

  /** Ends it for good, and its data with it. */
  async stop(): Promise<void> {
    if (this.#run && !hasEnded(this.#run.workerd)) await this.kill();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** The Worker with the date, the flags and the binding that wrangler.toml gives it, and these settings. */
async function configuration(port: number, settings: { readonly [name: string]: string }): Promise<string> {
  const toml = await readFile(join(repository, "wrangler.toml"), "utf8");
  const [, date] = /^compatibility_date = (".*")$/m.exec(toml) ?? [];
  const [, flags] = /^compatibility_flags = (\[.*\])$/m.exec(toml) ?? [];
  const [, binding] = /^name = (".*")\nclass_name = "Board"$/m.exec(toml) ?? [];
  if (!date || !flags || !binding) throw new Error("wrangler.toml does not look as it did");
  const texts = Object.entries(settings).map(
    ([name, text]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(text)}),`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "data", disk = (path = "data", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "worker")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = ${date},
  compatibilityFlags = ${flags},
  bindings = [
    (name = ${binding}, durableObjectNamespace = "Board"),
    ${texts.join("\n    ")}
  ],
  durableObjectNamespaces = [(className = "Board", uniqueKey = "${uniqueKey}", enableSql = true)],
  durableObjectStorage = (localDisk = "data"),
);
`;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function isAnswering(url: string): Promise<boolean> {
  return await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    async (response) => {
      await response.arrayBuffer();
      return true;
    },
    () => false,
  );
}
