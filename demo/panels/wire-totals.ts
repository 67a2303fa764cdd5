import { within } from "../elements.ts";
import { oncePerFrame } from "../motion.ts";
import type { BoardRoom, Traffic } from "../room.ts";
import { formatBytes, labelOf } from "./wire-panel.ts";

/** Compares what the deltas weighed with what they would have, had each been the whole board as JSON. */
export function createWireTotals(list: HTMLElement): {
  watch: (room: BoardRoom) => void;
  count: (traffic: Traffic) => void;
} {
  const total = { deltas: 0, documents: 0 };
  let boardBytes = 0;

  const show = oncePerFrame(() => {
    const most = Math.max(total.deltas, total.documents, 1);
    for (const [name, bytes] of Object.entries(total)) {
      const row = within(list, `[data-total="${name}"]`, HTMLElement);
      row.dataset["bytes"] = String(bytes);
      within(row, ".bytes", HTMLElement).textContent = formatBytes(bytes);
      within(row, ".bar i", HTMLElement).style.width = `${((bytes / most) * 100).toFixed(1)}%`;
    }
  });

  return {
    /** Keeps the size of the board up to date in proportion to each change. */
    watch(room) {
      for (const collection of ["shapes", "claims"] as const) {
        for (const entry of room.state[collection].entries()) boardBytes += jsonBytes(entry);
        room.observe(collection, (changes) => {
          for (const { id, before, after } of changes) {
            if (before) boardBytes -= jsonBytes([id, before]);
            if (after) boardBytes += jsonBytes([id, after]);
          }
        });
      }
    },
    count(traffic) {
      if (labelOf(traffic) !== "delta") return;
      total.deltas += traffic.bytes;
      total.documents += boardBytes;
      show();
    },
  };
}

function jsonBytes(value: unknown): number {
  return JSON.stringify(value).length;
}
