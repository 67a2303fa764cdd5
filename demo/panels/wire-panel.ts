import { html, within } from "../elements.ts";
import { oncePerFrame } from "../motion.ts";
import type { Traffic } from "../room.ts";

const maxRows = 60;
/** Frames of one kind that follow each other closely share a row: a drag would otherwise sweep the log away. */
const mergeWithinMs = 450;

interface Row {
  label: string;
  direction: Traffic["direction"];
  from: number | undefined;
  to: number | undefined;
  bytes: number;
  count: number;
  at: number;
}

/** What a frame is called in the panel. A change of state is named by how it came, everything else by its kind. */
export function labelOf({ direction, kind, from, to }: Traffic): string {
  if (direction === "down" && from !== undefined && to !== undefined && to > from && kind !== "snapshot")
    return "delta";
  return kind;
}

/** Lists the frames, newest first. */
export function createWireLog(list: HTMLOListElement): (traffic: Traffic) => void {
  const items = new Map<Row, HTMLLIElement>();
  const changed = new Set<Row>();
  /** Newest first. */
  const rows: Row[] = [];

  const draw = oncePerFrame(() => {
    for (const row of changed) fillItem(items.get(row) ?? insert(row), row);
    changed.clear();
  });
  const insert = (row: Row) => {
    const item = createItem(row);
    items.set(row, item);
    list.prepend(item);
    return item;
  };
  const forget = (row: Row | undefined) => {
    if (!row) return;
    items.get(row)?.remove();
    items.delete(row);
    changed.delete(row);
  };

  return (traffic) => {
    const label = labelOf(traffic);
    const { direction, at, from, to, bytes } = traffic;
    let row = rows.find((candidate) => candidate.label === label && candidate.direction === direction);
    if (!row || at - row.at > mergeWithinMs) {
      row = { label, direction, from, to, bytes: 0, count: 0, at };
      rows.unshift(row);
      if (rows.length > maxRows) forget(rows.pop());
    }
    row.bytes += bytes;
    row.count += 1;
    row.at = at;
    row.to = to ?? row.to;
    changed.add(row);
    draw();
  };
}

function createItem(row: Row): HTMLLIElement {
  const item = html("li", "frame");
  item.dataset["testid"] = "wire-entry";
  item.dataset["direction"] = row.direction;
  item.dataset["kind"] = row.label;
  item.append(
    html("span", "frame-direction", row.direction === "up" ? "↑" : "↓"),
    html("span", "frame-label", row.label),
    html("span", "frame-revisions"),
    html("span", "frame-bytes"),
  );
  return item;
}

function fillItem(item: HTMLLIElement, row: Row): void {
  const { from, to } = row;
  const revisions = to === undefined || from === to ? "" : from === undefined ? `→${to}` : `${from}→${to}`;
  const repeated = row.count > 1 ? ` ×${row.count}` : "";
  within(item, ".frame-revisions", HTMLElement).textContent = `${revisions}${repeated}`.trim();
  within(item, ".frame-bytes", HTMLElement).textContent = formatBytes(row.bytes);
  if (row.from !== undefined) item.dataset["from"] = String(row.from);
  if (row.to !== undefined) item.dataset["to"] = String(row.to);
  item.dataset["bytes"] = String(row.bytes);
  item.dataset["count"] = String(row.count);
}

export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
