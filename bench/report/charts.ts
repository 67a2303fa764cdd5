import { format } from "../plan/lines.ts";
import { growthClients, growthHistory, growthMissed, growthRecords } from "../plan/plan.ts";
import { figuresOf, type Results } from "../results.ts";
import { systemNames, type SystemName } from "../systems/index.ts";
import { billsOf } from "./bill-table.ts";
import { bars, board, draw, lines, type Panel, type Point } from "./chart-kit.ts";
import { titles } from "./table.ts";

/** A chart of docs/PERFORMANCE.md. */
export interface Chart {
  readonly file: string;
  readonly alt: string;
  readonly svg: string;
}

/** Those for which the run has figures. */
export async function drawCharts(results: Results): Promise<Chart[]> {
  const charts: Chart[] = [];
  for (const [file, alt, panel] of [
    ["comparison", "Fifty clients: time, CPU, bytes and rows by system", comparison(results)],
    ["crowd", "Time from writer to reader against the number of clients", crowd(results)],
    ["growth", "Cost against clients, records, operations missed and operations made", growth(results)],
    ["bill", "Dollars for ten people who drag for an hour, by system", bill(results)],
  ] as const) {
    if (panel !== undefined) charts.push({ file: `${file}.svg`, alt, svg: await draw(panel) });
  }
  return charts;
}

function number(results: Results, row: string, system: string, name: string): number | undefined {
  const value = figuresOf(results, row, system)?.[name];
  return typeof value === "number" && value > 0 ? value : undefined;
}

function comparison(results: Results): Panel | undefined {
  const panel = (title: string, subtitle: string, name: string, isLogarithmic: boolean): Panel => {
    const points = systemNames.flatMap((system) => {
      const value = number(results, "drag-50", system, name);
      return value === undefined ? [] : [{ system: titles[system], value, label: format(value) }];
    });
    return bars({ title, subtitle, points, isLogarithmic });
  };
  if (results.rows["drag-50"] === undefined) return undefined;
  return board(
    [
      panel("Latency", "median from writer to reader, ms", "p50Ms", true),
      panel("Server CPU", "seconds per 1,000 operations, to 50 clients", "serverCpuPerThousand", false),
      panel("Down", "bytes an operation and client", "downBytesPerOperation", false),
      panel("Rows written", "per 1,000 operations, of those on Durable Objects", "rowsPerThousand", true),
    ],
    2,
  );
}

function crowd(results: Results): Panel | undefined {
  const points = [50, 200, 500, 1_000].flatMap((clients) =>
    systemNames.flatMap((system) => {
      const y = number(results, `drag-${clients}`, system, "p50Ms");
      const isWhole = figuresOf(results, `drag-${clients}`, system)?.["differing"] === 0;
      return y === undefined || !isWhole ? [] : [{ series: titles[system], x: clients, y }];
    }),
  );
  if (points.length === 0) return undefined;
  return lines({
    title: "Everybody moves something, 20 times a second",
    subtitle: "median latency of those that converged; who is missing did not",
    xTitle: "clients",
    yTitle: "ms",
    points,
    width: 560,
    height: 280,
  });
}

/** Which figure of which row, by what is on the x axis. */
function of(
  row: (x: number) => string,
  name: (x: number) => string,
  system: SystemName = "deltaroom",
): Parameters<typeof series>[1] {
  return { system, row, name };
}

function renamed(name: string, points: readonly Point[]): Point[] {
  return points.map((point) => ({ ...point, series: name }));
}

/** One system's figure over so many rows of the plan. */
function series(
  results: Results,
  of: {
    readonly system: SystemName;
    readonly row: (x: number) => string;
    readonly name: (x: number) => string;
  },
  xs: readonly number[],
  scale = 1,
): Point[] {
  return xs.flatMap((x) => {
    const y = number(results, of.row(x), of.system, of.name(x));
    return y === undefined ? [] : [{ series: titles[of.system], x, y: y * scale }];
  });
}

function growth(results: Results): Panel | undefined {
  const broadcast = (growthRow: string, xs: readonly number[]): Point[] =>
    series(
      results,
      of(
        (x) => `${growthRow}-${x}`,
        () => "serverCpuPerThousand",
      ),
      xs,
      1_000,
    );
  const joins = (name: string): Point[] =>
    series(
      results,
      of(
        (x) => `join-${x}`,
        () => name,
      ),
      growthRecords,
    );
  const missed = (["deltaroom", "tldraw", "y-partyserver"] as const).flatMap((system) =>
    series(
      results,
      of(
        () => "growth-missed",
        (x) => `bytesAfter${x}`,
        system,
      ),
      growthMissed,
      1 / 1_000,
    ),
  );
  const history = series(
    results,
    of(
      () => "growth-history",
      (x) => `heapMbAfter${x}`,
    ),
    growthHistory,
  );
  const panels = [
    lines({
      title: "More clients",
      subtitle: "a broadcast: one write, a send to each client: at most O(clients)",
      xTitle: "clients, of which 10 write",
      yTitle: "server CPU, ms per 1,000",
      points: broadcast("growth-clients", growthClients),
    }),
    lines({
      title: "More records, a broadcast",
      subtitle: "expected: O(changes), so level",
      xTitle: "records in the room",
      yTitle: "server CPU, ms per 1,000",
      points: broadcast("growth-records", growthRecords),
    }),
    lines({
      title: "More records, a join",
      subtitle: "expected: O(state); first behind a restart, and the next",
      xTitle: "records in the room",
      yTitle: "ms",
      points: [...renamed("first", joins("firstMs")), ...renamed("next", joins("againMs"))],
    }),
    lines({
      title: "More operations missed",
      subtitle: "expected: O(missed changes), at most the 500 records",
      xTitle: "operations missed",
      yTitle: "KB to catch up",
      points: missed,
    }),
    lines({
      title: "More history",
      subtitle: "expected: O(1)",
      xTitle: "operations since the room began",
      yTitle: "heap, MB",
      points: history,
    }),
  ].filter(({ data }) => (data as { readonly values: readonly Point[] }).values.length > 0);
  return panels.length === 0 ? undefined : board(panels, 2);
}

function bill(results: Results): Panel | undefined {
  const points = [...billsOf(results)].map(([system, { hour }]) => ({
    system: titles[system],
    value: hour.dollars,
    label: `$${hour.dollars.toFixed(2)}: ${format(hour.rowsWritten)} rows, ${format(hour.requests)} requests`,
  }));
  if (points.length === 0) return undefined;
  return {
    ...bars({ title: "Ten people drag for an hour", subtitle: "dollars at list price", points }),
    width: 400,
    padding: { left: 16, top: 16, bottom: 16, right: 180 },
  };
}
