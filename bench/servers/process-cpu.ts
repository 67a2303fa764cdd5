import { readFileSync } from "node:fs";

/** The kernel counts CPU in ticks of `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Node runs on. */
const secondsPerTick = 1 / 100;

/** Seconds of CPU, user and system, that a process and all its threads have taken. Throws when there is none. */
export function readCpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name of the program comes second, in parentheses, and may itself hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [userTicks, systemTicks] = [Number(fields[11]), Number(fields[12])];
  return (userTicks + systemTicks) * secondsPerTick;
}

/** Seconds of CPU that this process has taken. */
export function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Megabytes (2²⁰ bytes) of a process that are in memory. */
export function readResidentMb(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}
