import { spawnSync } from "node:child_process";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/** One system call of the traced process that succeeded. `startedAt` and `endedAt` are places in the trace. */
export type SystemCall = { readonly startedAt: number; readonly endedAt: number } & (
  | { readonly kind: "create" | "unlink"; readonly path: string }
  | { readonly kind: "sync"; readonly path: string }
  | { readonly kind: "write"; readonly path: string; readonly offset: number; readonly data: Buffer }
  | { readonly kind: "truncate"; readonly path: string; readonly length: number }
  | { readonly kind: "send"; readonly socket: string; readonly data: Buffer }
);

/** Calls by which files can change, sockets be written to, or either be made durable. What it cannot read, it refuses. */
const traced = [
  "openat,open,creat,unlinkat,unlink,rename,renameat,renameat2,linkat,link",
  "pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,sendmmsg,sendfile,splice",
  "ftruncate,truncate,fallocate,copy_file_range,mmap,io_uring_enter",
  "fsync,fdatasync,sync,syncfs,sync_file_range,msync",
].join();

/** Runs what is put behind it and writes its calls to `tracePath`, with all that they write. */
export function straceCommand(tracePath: string): readonly string[] {
  // -D: the traced program keeps the process that was started; the tracer is a grandchild.
  const format = ["-D", "-f", "-y", "-xx", "-s", String(2 ** 26), "--seccomp-bpf", "-q"];
  return ["strace", ...format, "-e", `trace=${traced}`, "-o", tracePath];
}

/** Undefined when there is no strace here. */
export function straceVersion(): string | undefined {
  const { stdout } = spawnSync("strace", ["-V"], { encoding: "utf8" });
  return stdout?.split("\n")[0];
}

/** Reads a trace, and keeps what concerns the files of `folder` and the sockets. */
export async function readTrace(tracePath: string, folder: string): Promise<SystemCall[]> {
  const calls: SystemCall[] = [];
  /** By process: a call that began before another process's line. */
  const begun = new Map<string, { readonly text: string; readonly at: number }>();
  let at = 0;
  for await (const line of createInterface({ input: createReadStream(tracePath, "latin1") })) {
    at += 1;
    const processEnd = line.indexOf(" ");
    const process = line.slice(0, processEnd);
    let text = line.slice(processEnd).trimStart();
    if (text.startsWith("+++") || text.startsWith("---")) continue;
    if (text.endsWith("<unfinished ...>")) {
      begun.set(process, { text: text.slice(0, -"<unfinished ...>".length), at });
      continue;
    }
    let startedAt = at;
    if (text.startsWith("<... ")) {
      const start = begun.get(process);
      if (start === undefined) throw new Error(`line ${at} of the trace resumes nothing`);
      text = start.text + text.slice(text.indexOf(" resumed>") + " resumed>".length);
      startedAt = start.at;
      begun.delete(process);
    }
    const call = readCall(text, folder, startedAt, at);
    if (call !== undefined) calls.push(call);
  }
  return calls;
}

function readCall(text: string, folder: string, startedAt: number, endedAt: number): SystemCall | undefined {
  const name = text.slice(0, text.indexOf("("));
  const resultAt = text.lastIndexOf(" = ");
  const result = text.slice(resultAt + " = ".length);
  const args = text.slice(name.length + 1, resultAt);
  const path = pathOf(name, args, result);
  const place = { startedAt, endedAt };
  if (path.startsWith("socket:"))
    return { ...place, kind: "send", socket: path, data: sent(name, args, result) };
  // The index beside a WAL is made anew from it.
  if (!path.startsWith(folder) || path.endsWith("-shm") || result.startsWith("-1")) return undefined;
  if (result.startsWith("?")) throw new Error(`nobody knows how ${name} on ${path} ended`);
  switch (name) {
    case "openat":
      if (args.includes("O_TRUNC")) break;
      return args.includes("O_CREAT") ? { ...place, kind: "create", path } : undefined;
    case "unlinkat":
      return { ...place, kind: "unlink", path: `${path}/${stringsOf(args).toString()}` };
    case "pwrite64":
      return { ...place, kind: "write", path, offset: lastNumber(args), data: written(args, result) };
    case "ftruncate":
      return { ...place, kind: "truncate", path, length: lastNumber(args) };
    case "fsync":
    case "fdatasync":
      return { ...place, kind: "sync", path };
    case "mmap":
      if (!args.includes("PROT_WRITE") || args.includes("MAP_PRIVATE")) return undefined;
      break;
    default:
  }
  throw new Error(`the replay does not know what ${name} does to ${path}`);
}

/** What a call is about: a path, or `socket:[<number>]`. Empty for what has no name. */
function pathOf(name: string, args: string, result: string): string {
  if (name === "openat" || name === "open" || name === "creat") return descriptorIn(result);
  if (name === "mmap") return descriptorIn(args.slice(args.lastIndexOf("<") - 1));
  return args.startsWith('"') ? stringsOf(args).toString() : descriptorIn(args);
}

function descriptorIn(text: string): string {
  const [, path = ""] = /^-?\d*<([^>]*)>/.exec(text) ?? [];
  return decode(path).toString();
}

/** The bytes that went to a socket. */
function sent(name: string, args: string, result: string): Buffer {
  if (!["write", "writev", "sendto", "sendmsg"].includes(name))
    throw new Error(`what ${name} sends is not read here`);
  return written(args, result);
}

/** The bytes that a call has written, of those that it was given. */
function written(args: string, result: string): Buffer {
  const count = Number.parseInt(result, 10);
  return count > 0 ? stringsOf(args).subarray(0, count) : Buffer.alloc(0);
}

/** All strings among the arguments, one behind the other. */
function stringsOf(args: string): Buffer {
  const pieces: Buffer[] = [];
  for (let from = args.indexOf('"'); from >= 0;) {
    const to = args.indexOf('"', from + 1);
    if (args.startsWith("...", to + 1)) throw new Error("the trace has cut a string short");
    pieces.push(decode(args.slice(from + 1, to)));
    from = args.indexOf('"', to + 1);
  }
  return Buffer.concat(pieces);
}

/** `\x2f\x74…`, which is all that `-xx` prints. */
function decode(text: string): Buffer {
  return Buffer.from(text.replaceAll("\\x", ""), "hex");
}

function lastNumber(args: string): number {
  return Number.parseInt(args.slice(args.lastIndexOf(",") + 1), 10);
}
