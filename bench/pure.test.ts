import { deepEqual, equal, throws } from "node:assert/strict";
import { test } from "node:test";
import { billOfHour, billOfIdleHour, billOfThousand } from "./bill/prices.ts";
import { markdownTable } from "./report/markdown.ts";
import { summarize } from "./results.ts";
import { Histogram, median } from "./statistics.ts";

test("the median is the one in the middle, or between the two there", () => {
  equal(median([5, 1, 3]), 3);
  equal(median([4, 1, 3, 2]), 2.5);
  throws(() => median([]), /nothing/);
});

test("a histogram answers the time that a share of all are not above", () => {
  const histogram = new Histogram();
  for (let ms = 1; ms <= 100; ms++) histogram.add(ms);
  equal(histogram.quantile(0.5), 50);
  equal(histogram.quantile(0.99), 99);
  equal(histogram.quantile(1), 100);
  histogram.add(1e9);
  equal(histogram.quantile(1), 60_000);
  equal(new Histogram().quantile(0.5), Number.NaN);
});

test("a summary has the median of each figure and the first trouble", () => {
  deepEqual(summarize([{ a: 1, b: 5 }, { a: 3 }, { a: 2, trouble: "1006" }]), {
    a: 2,
    b: 5,
    trouble: "1006",
  });
});

const counted = { seconds: 10, operations: 2_000, rowsWritten: 400, rowsRead: 0, messages: 2_000 };

test("a thousand operations are billed as they were counted", () => {
  const bill = billOfThousand(counted);
  equal(bill.rowsWritten, 200);
  equal(bill.requests, 50);
  equal(bill.gigabyteSeconds, 0.64);
  equal(bill.dollars.toFixed(9), (200e-6 + 50 * 0.15e-6 + 0.64 * 12.5e-6).toFixed(9));
});

test("an hour of work keeps the object active for an hour", () => {
  const bill = billOfHour(counted);
  equal(bill.rowsWritten, 144_000);
  equal(bill.requests, 36_000);
  equal(bill.gigabyteSeconds.toFixed(3), "460.800");
});

test("an idle hour costs the duration only of a room that does not hibernate", () => {
  const idle = { seconds: 20, rowsWritten: 0, rowsRead: 0, messages: 20, alarms: 2, cpuSeconds: 0.5 };
  equal(billOfIdleHour(idle, true).gigabyteSeconds.toFixed(2), "11.52");
  equal(billOfIdleHour(idle, true).requests, 540);
  equal(billOfIdleHour(idle, false).gigabyteSeconds.toFixed(1), "460.8");
});

test("a table's columns are in line", () => {
  const table = markdownTable(["", "ours"], [["speed", "1"]]);
  deepEqual(table.split("\n"), ["|       | ours |", "| ----- | ---: |", "| speed | 1    |"]);
});
