import { readFileSync } from "node:fs";

/** Megabytes (2²⁰ bytes) of a process that are in memory now, and the most that ever were. */
export interface ProcessMemory {
  readonly residentMb: number;
  readonly peakMb: number;
}

/** Reads it from the kernel. Throws when there is no such process. */
export function readMemory(pid: number): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return { residentMb: megabytes(status, "VmRSS"), peakMb: megabytes(status, "VmHWM") };
}

function megabytes(status: string, name: string): number {
  const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status) ?? [];
  if (kilobytes === undefined) throw new Error(`/proc/…/status has no ${name}`);
  return Number(kilobytes) / 1024;
}
