import type { Work } from "../rows/index.ts";
import { systemNames, type SystemName } from "../systems/index.ts";
import {
  catchUpLines,
  crowdLines,
  dragLines,
  joinLines,
  killLines,
  memoryLines,
  stormLines,
  throughputLines,
  wakeLines,
  type Line,
} from "./lines.ts";

/** One kind of work, and who does it. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly work: Work;
  readonly systems: readonly SystemName[];
  /** What the table shows of it; nothing of rows that are for charts or for the bill. */
  readonly lines: readonly Line[];
  /** Where the speed of the disk is part of what is measured. */
  readonly isOnDisk: boolean;
  readonly maxRepeats: number;
  readonly timeoutSeconds: number;
  /** Who failed that row is not asked for this one. */
  readonly after?: string;
}

const main: readonly SystemName[] = systemNames.filter((name) => name !== "deltaroom-0ms");
const withoutVariants: readonly SystemName[] = main.filter((name) => name !== "deltaroom-50ms");
const onDurableObjects: readonly SystemName[] = ["deltaroom", "naive", "tldraw", "y-partyserver"];
const records = 500;
const hz = 20;

function drag(clients: number, seconds: number, systems: readonly SystemName[], after?: number): Row {
  const rate = (clients * hz).toLocaleString("en-US");
  return {
    id: `drag-${clients}`,
    title: `${clients.toLocaleString("en-US")} clients at 20 Hz, ${rate} operations a second`,
    // One each, or the others would be refused.
    work: { kind: "drag", clients, hz, records: Math.max(records, clients), seconds },
    systems,
    lines: clients === 50 ? dragLines : crowdLines,
    isOnDisk: false,
    maxRepeats: 3,
    timeoutSeconds: 60,
    ...(after !== undefined && { after: `drag-${after}` }),
  };
}

function throughput(
  receivers: number,
  window: number,
  seconds: number,
  systems: readonly SystemName[],
  gathers = false,
): Row {
  const to = receivers === 1 ? "1 receiver" : `${receivers} receivers`;
  const sent = gathers ? "sent as its client gathers them" : "one a message";
  return {
    id: `throughput-${receivers}`,
    title: `1 writer, ${to}, at most ${window.toLocaleString("en-US")} operations under way, ${sent}`,
    work: { kind: "throughput", receivers, window, records, seconds, gathers },
    systems,
    lines: throughputLines,
    isOnDisk: true,
    maxRepeats: 3,
    timeoutSeconds: 60,
  };
}

function join(count: number, systems: readonly SystemName[], isShown: boolean): Row {
  return {
    id: `join-${count}`,
    title: `join a room of ${count.toLocaleString("en-US")} records`,
    work: { kind: "join", records: count },
    systems,
    lines: isShown ? joinLines : [],
    isOnDisk: false,
    maxRepeats: isShown ? 2 : 1,
    timeoutSeconds: 150,
  };
}

function storm(joins: number, seconds: number, count: number, systems: readonly SystemName[]): Row {
  return {
    id: "storm",
    title: `${joins} people come within ${seconds} s to a room of ${count.toLocaleString("en-US")} records that 10 write in at 20 Hz`,
    work: { kind: "storm", records: count, writers: 10, hz, joins, seconds },
    systems,
    lines: stormLines,
    isOnDisk: false,
    maxRepeats: 1,
    timeoutSeconds: 120,
  };
}

function catchUp(
  missed: readonly number[],
  id: string,
  systems: readonly SystemName[],
  isShown: boolean,
): Row {
  return {
    id,
    title: "come back and catch up, 500 records",
    work: { kind: "catch-up", records, missed },
    systems,
    lines: isShown ? catchUpLines(missed) : [],
    isOnDisk: false,
    maxRepeats: isShown ? 2 : 1,
    timeoutSeconds: 150,
  };
}

function kill(seconds: number): Row {
  return {
    id: "kill",
    title: "SIGKILL while somebody writes, then a restart",
    work: { kind: "kill", records, seconds },
    systems: withoutVariants,
    lines: killLines,
    isOnDisk: true,
    maxRepeats: 1,
    timeoutSeconds: 60,
  };
}

function wake(count: number): Row {
  return {
    id: `wake-${count}`,
    title: `wake a room of ${count.toLocaleString("en-US")} records`,
    work: { kind: "wake", records: count },
    systems: onDurableObjects,
    lines: wakeLines,
    isOnDisk: true,
    maxRepeats: 1,
    timeoutSeconds: 150,
  };
}

function memory(count: number, sessions: number): Row {
  return {
    id: "memory",
    title: `memory of a room of ${count.toLocaleString("en-US")} records (about 32 MB) with ${sessions} sessions`,
    work: { kind: "memory", records: count, sessions },
    systems: ["deltaroom"],
    lines: memoryLines,
    isOnDisk: false,
    maxRepeats: 1,
    timeoutSeconds: 150,
  };
}

function history(operations: readonly number[]): Row {
  return {
    id: "growth-history",
    title: "memory of a room of 500 records the longer it is in use",
    work: { kind: "history", records, operations },
    systems: ["deltaroom"],
    lines: [],
    isOnDisk: false,
    maxRepeats: 1,
    timeoutSeconds: 150,
  };
}

/** So many listen, ten write: what one more listener costs. */
function listeners(clients: number, count: number, seconds: number, id: string): Row {
  return {
    id,
    title: `10 writers, ${clients} clients, ${count} records`,
    work: { kind: "drag", clients, writers: 10, hz, records: count, seconds },
    systems: ["deltaroom"],
    lines: [],
    isOnDisk: false,
    maxRepeats: 1,
    timeoutSeconds: 150,
  };
}

/** The bill's own command runs these alone. */
export function billRows(isQuick: boolean): readonly Row[] {
  const [seconds, idleSeconds] = isQuick ? [5, 14] : [12, 48];
  return [
    {
      id: "bill",
      title: "10 people drag at 20 Hz, then stay connected",
      work: { kind: "bill", clients: 10, hz, records, seconds, idleSeconds },
      systems: [...onDurableObjects, "deltaroom-50ms"],
      lines: [],
      isOnDisk: false,
      maxRepeats: 1,
      timeoutSeconds: 120,
    },
  ];
}

export const growthClients = [10, 30, 100, 300, 1_000] as const;
export const growthRecords = [1_000, 10_000, 50_000, 100_000, 250_000] as const;
export const growthMissed = [10, 100, 1_000, 10_000, 100_000] as const;
export const growthHistory = [1_000, 10_000, 100_000] as const;

/** Under 25 minutes. What matters most comes first: when time runs short, the last repeats are left out. */
export function fullPlan(): readonly Row[] {
  return [
    drag(50, 6, main),
    drag(200, 6, main, 50),
    drag(500, 6, main, 200),
    drag(1_000, 6, main, 500),
    throughput(1, 64, 3, ["deltaroom-0ms", ...withoutVariants]),
    throughput(10, 1_024, 3, ["deltaroom-0ms", ...withoutVariants], true),
    throughput(100, 64, 3, ["deltaroom-0ms", ...withoutVariants], true),
    join(50_000, withoutVariants, true),
    storm(500, 5, 10_000, withoutVariants),
    catchUp([100, 1_000, 10_000], "catch-up", withoutVariants, true),
    kill(12),
    wake(10_000),
    wake(100_000),
    memory(240_000, 200),
    ...billRows(false),
    ...growthClients.map((clients) => listeners(clients, 1_000, 4, `growth-clients-${clients}`)),
    ...growthRecords.map((count) => listeners(10, count, 4, `growth-records-${count}`)),
    ...growthRecords.filter((count) => count !== 50_000).map((count) => join(count, ["deltaroom"], false)),
    history(growthHistory),
    catchUp(growthMissed, "growth-missed", ["deltaroom", "tldraw", "y-partyserver"], false),
  ];
}

/** Under 4 minutes: one trial each, short ones. */
export function quickPlan(): readonly Row[] {
  const fewer = withoutVariants;
  return [
    drag(50, 3, fewer),
    drag(200, 3, ["deltaroom", "colyseus"], 50),
    throughput(1, 64, 2, fewer),
    join(10_000, fewer, true),
    storm(200, 2, 5_000, ["deltaroom", "naive", "tldraw"]),
    catchUp([100, 1_000], "catch-up", fewer, true),
    kill(2),
  ];
}
