import type { Figures } from "../results.ts";

/** A line of the table: what of a trial it shows, and how. Undefined where a system has no such figure. */
export interface Line {
  readonly label: string;
  readonly show: (figures: Figures) => string | undefined;
}

/** A number with so many significant digits, and commas. */
export function format(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return "–";
  const rounded = Number(value.toPrecision(digits));
  return rounded.toLocaleString("en-US", { maximumFractionDigits: 3 });
}

function number(label: string, name: string, digits?: number): Line {
  return {
    label,
    show: ({ [name]: value }) => (typeof value === "number" ? format(value, digits) : undefined),
  };
}

function pair(label: string, first: string, second: string): Line {
  return {
    label,
    show: ({ [first]: a, [second]: b }) =>
      typeof a === "number" && typeof b === "number" ? `${format(a)} / ${format(b)}` : undefined,
  };
}

/** Times only of those who kept up; of the others what became of them. */
const latency: Line = {
  label: "latency p50 / p99, ms",
  show: (figures) => `${pair("", "p50Ms", "p99Ms").show(figures) ?? "–"}${mishap(figures)}`,
};

function mishap({ cutOff, differing, offeredShare, trouble }: Figures): string {
  const said: string[] = [];
  if (typeof cutOff === "number" && cutOff > 0) said.push(`${format(cutOff)} cut off (${trouble ?? "?"})`);
  if (typeof differing === "number" && differing > 0) said.push("did not converge");
  if (typeof offeredShare === "number" && offeredShare < 0.95)
    said.push(`load reached ${Math.round(offeredShare * 100)} %`);
  return said.length === 0 ? "" : `; ${said.join(", ")}`;
}

export const dragLines: readonly Line[] = [
  latency,
  number("down, bytes an operation and client", "downBytesPerOperation"),
  number("up, bytes an operation", "upBytesPerOperation"),
  pair("CPU s per 1,000 operations, server / load", "serverCpuPerThousand", "clientCpuPerThousand"),
  number("rows written per 1,000 operations", "rowsPerThousand"),
];

export const crowdLines: readonly Line[] = [
  latency,
  pair("CPU, cores, server / load", "serverCpuShare", "clientCpuShare"),
];

export const throughputLines: readonly Line[] = [
  {
    label: "operations a second",
    show: (figures) => {
      const { operationsPerSecond } = figures;
      if (typeof operationsPerSecond !== "number") return undefined;
      return `${format(operationsPerSecond)}${mishap(figures)}`;
    },
  },
  pair("CPU, cores, server / load", "serverCpuShare", "clientCpuShare"),
];

export const joinLines: readonly Line[] = [
  pair("first join behind a restart / next joins, ms", "firstMs", "againMs"),
  number("next joins, ms", "againMs"),
  pair("server CPU ms, first / next", "firstCpuMs", "againCpuMs"),
  number("MB received", "againMegabytes"),
];

export const stormLines: readonly Line[] = [
  {
    label: "got the state",
    show: (figures) => {
      const { arrived, joins } = figures;
      if (typeof arrived !== "number" || typeof joins !== "number") return undefined;
      return `${arrived === joins ? "all" : `${format(arrived)} of ${format(joins)}`}${mishap(figures)}`;
    },
  },
  pair("from opening to the whole state p50 / p99, ms", "joinP50Ms", "joinP99Ms"),
  pair("moves meanwhile, latency p50 / p99, ms", "p50Ms", "p99Ms"),
  number("bytes a join", "joinBytes"),
  number("server CPU ms a join, moves to everybody included", "serverCpuMsPerJoin"),
  pair("CPU, cores, server / load", "serverCpuShare", "clientCpuShare"),
];

export function catchUpLines(missed: readonly number[]): readonly Line[] {
  return missed.map((count) =>
    number(`behind ${count.toLocaleString("en-US")} operations, bytes`, `bytesAfter${count}`),
  );
}

export const killLines: readonly Line[] = [
  {
    label: "acknowledged, of these lost",
    show: ({ acknowledged, lost }) =>
      typeof acknowledged === "number" && typeof lost === "number"
        ? `${format(acknowledged)}, ${format(lost)}`
        : undefined,
  },
];

export const wakeLines: readonly Line[] = [
  number("out of hibernation to the first acknowledgement, ms", "hibernatedMs"),
  number("server just started: hello, state, first acknowledgement, ms", "startedMs"),
];

export const memoryLines: readonly Line[] = [
  number("heap, bytes a record", "bytesPerRecord"),
  number("heap, bytes a session", "bytesPerSession"),
  number("heap of the full room with its sessions, MB", "heapMb"),
  number("resident memory of the whole workerd process, MB", "residentMb"),
];
