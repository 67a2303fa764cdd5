import { billOfHour, billOfIdleHour, billOfThousand, type Bill } from "../bill/prices.ts";
import { format } from "../plan/lines.ts";
import { figuresOf, type Figures, type Results } from "../results.ts";
import { systemNames, type SystemName } from "../systems/index.ts";
import { markdownTable } from "./markdown.ts";
import { titles } from "./table.ts";

/** What a system's people cost who drag, and who are only connected. */
export interface Bills {
  readonly thousand: Bill;
  readonly hour: Bill;
  readonly idleHour: Bill;
  readonly hibernates: boolean;
}

const header = ["", "rows written", "rows read", "requests", "GB-s", "dollars"];

/** The bills of the systems for which they were counted. */
export function billsOf(results: Results): ReadonlyMap<SystemName, Bills> {
  const bills = new Map<SystemName, Bills>();
  for (const name of systemNames) {
    const figures = figuresOf(results, "bill", name);
    if (figures !== undefined && figures["failed"] === undefined) bills.set(name, billsFrom(figures));
  }
  return bills;
}

/** Three tables; undefined when the run had no bill. */
export function formatBill(results: Results): string | undefined {
  const bills = billsOf(results);
  if (bills.size === 0) return undefined;
  const rows = (read: (bills: Bills) => Bill): string[][] =>
    [...bills].map(([name, one]) => [titles[name], ...cells(read(one))]);
  const idle = [...bills].map(([name, one]) => [
    `${titles[name]}${one.hibernates ? "" : " (does not hibernate)"}`,
    ...cells(one.idleHour),
  ]);
  return [
    "**1,000 operations, of 10 people who drag at 20 Hz**",
    markdownTable(
      header,
      rows(({ thousand }) => thousand),
    ),
    "**10 people who drag for an hour**",
    markdownTable(
      header,
      rows(({ hour }) => hour),
    ),
    "**10 people who are connected for an hour and do nothing**",
    markdownTable(header, idle),
    target(bills),
  ].join("\n\n");
}

function target(bills: ReadonlyMap<SystemName, Bills>): string {
  const [ours, theirs] = [bills.get("deltaroom"), bills.get("tldraw")];
  if (ours === undefined || theirs === undefined) return "";
  const share = theirs.hour.rowsWritten / ours.hour.rowsWritten;
  return `deltaroom writes one row where tldraw's sync writes ${format(share)}.`;
}

function billsFrom(figures: Figures): Bills {
  const read = (name: string): number => Number(figures[name] ?? 0);
  const counted = {
    seconds: read("seconds"),
    operations: read("operations"),
    rowsWritten: read("rowsWritten"),
    rowsRead: read("rowsRead"),
    messages: read("messages"),
  };
  const idle = {
    seconds: read("idleSeconds"),
    rowsWritten: read("idleRowsWritten"),
    rowsRead: 0,
    messages: read("idleMessages"),
    alarms: read("idleAlarms"),
    cpuSeconds: read("idleCpuSeconds"),
  };
  const hibernates = read("hibernates") === 1;
  return {
    thousand: billOfThousand(counted),
    hour: billOfHour(counted),
    idleHour: billOfIdleHour(idle, hibernates),
    hibernates,
  };
}

function cells({ rowsWritten, rowsRead, requests, gigabyteSeconds, dollars }: Bill): string[] {
  return [
    format(rowsWritten),
    format(rowsRead),
    format(requests),
    format(gigabyteSeconds),
    `$${Number(dollars.toPrecision(3))}`,
  ];
}
