import { readFile, mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { freePort } from "../../test/reliability/process/server-process.ts";
import { Server } from "./server.ts";

/** The pinned workerd itself: what stands in `.bin` may be a script that starts it. */
const { default: workerdBin } = createRequire(import.meta.url)("workerd") as { default: string };
const wranglerToml = fileURLToPath(new URL("../../wrangler.toml", import.meta.url));

/** A Worker that exports the Durable Object class `Room`, bound to it as `ROOMS`. */
export interface Worker {
  readonly entry: URL;
  /** Names that are replaced in the source by these JSON values. */
  readonly define?: { readonly [name: string]: unknown };
}

/** Where the rooms are kept, and whether the isolate may be asked for its heap and its profile. */
export interface WorkerdOptions {
  readonly folder: string;
  readonly inspectorPort?: number | undefined;
}

/** Makes a `workerd serve` with no proxy before it: rooms on a real disk, in a folder and on a port of their own. */
export async function createWorkerd(
  worker: Worker,
  { folder, inspectorPort }: WorkerdOptions,
): Promise<Server> {
  const port = await freePort();
  await mkdir(join(folder, "rooms"), { recursive: true });
  await build({
    entryPoints: [fileURLToPath(worker.entry)],
    outfile: join(folder, "worker.js"),
    bundle: true,
    // What is profiled should have lines.
    minify: inspectorPort === undefined,
    keepNames: true,
    format: "esm",
    target: "es2024",
    platform: "browser",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    define: Object.fromEntries(
      Object.entries(worker.define ?? {}).map(([name, value]) => [name, JSON.stringify(value)]),
    ),
    logLevel: "error",
  });
  await writeFile(join(folder, "config.capnp"), await configuration(port, inspectorPort !== undefined));
  const inspector = inspectorPort === undefined ? [] : [`--inspector-addr=127.0.0.1:${inspectorPort}`];
  const args = ["serve", "config.capnp", ...inspector];
  return new Server({ program: workerdBin, args, cwd: folder, url: `http://127.0.0.1:${port}` });
}

/** The version of the runtime, from its package. */
export function workerdVersion(): string {
  return (createRequire(import.meta.url)("workerd/package.json") as { version: string }).version;
}

/** Every system runs under the date and the flags of the product, compression off among them. */
async function configuration(port: number, isWatched: boolean): Promise<string> {
  const toml = await readFile(wranglerToml, "utf8");
  const [, date] = /^compatibility_date = (".*")$/m.exec(toml) ?? [];
  if (!date) throw new Error("wrangler.toml does not look as it did");
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (${isWatched ? '\n  v8Flags = ["--expose-gc"],' : ""}
  services = [
    (name = "worker", worker = .worker),
    (name = "data", disk = (path = "rooms", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "worker")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = ${date},
  compatibilityFlags = ["no_web_socket_compression"],
  bindings = [(name = "ROOMS", durableObjectNamespace = "Room")],
  durableObjectNamespaces = [(className = "Room", uniqueKey = "rooms", enableSql = true)],
  durableObjectStorage = (localDisk = "data"),
);
`;
}
