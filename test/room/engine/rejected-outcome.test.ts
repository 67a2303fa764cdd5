import { expect, test } from "vitest";
import { rejectedOutcome } from "../../../src/room/engine/rejected-outcome.ts";
import { Rejection } from "../../../src/index.ts";

test.each<[string, Rejection, object]>([
  ["its data", new Rejection("c", "m", { a: [1] }), { code: "c", message: "m", data: { a: [1] } }],
  ["its code for want of a message", new Rejection("taken"), { code: "taken", message: "taken" }],
  ["no data that is too much", new Rejection("c", "m", "x".repeat(5_000)), { code: "c", message: "m" }],
  ["no data that is not JSON", new Rejection("c", "m", new Map() as never), { code: "c", message: "m" }],
  [
    "no more of a message than fits",
    new Rejection("c", "é".repeat(900)),
    { code: "c", message: "é".repeat(500) },
  ],
  [
    "no more of a message than fits beside data",
    new Rejection("c", "m".repeat(900), 1),
    { code: "c", message: "m".repeat(500), data: 1 },
  ],
  ["no more of a code than fits", new Rejection("c".repeat(90), "m"), { code: "c".repeat(64), message: "m" }],
  ["a code that is a number as text", new Rejection(404 as never, "m"), { code: "404", message: "m" }],
  [
    "nothing, when to read it throws",
    Object.assign(new Rejection("c"), { code: Object.create(null) }),
    { code: "internal" },
  ],
  ["no half characters", new Rejection("c\ud800", "m\udc00"), { code: "c\ufffd", message: "m\ufffd" }],
  [
    "no character that was cut in half",
    new Rejection("c", `${"m".repeat(499)}𝄞`),
    { message: `${"m".repeat(499)}\ufffd` },
  ],
])("the outcome of a rejection carries %s", (_title, rejection, expected) => {
  const outcome = rejectedOutcome(rejection);
  expect(outcome).toMatchObject({ kind: "rejected", ...expected });
  expect(Object.hasOwn(outcome, "data")).toBe(Object.hasOwn(expected, "data"));
});

test("the largest outcome stays within what a row keeps free for it", () => {
  const outcome = rejectedOutcome(
    new Rejection("\u0001".repeat(99), "\u0001".repeat(999), "x".repeat(4_096)),
  );
  expect(JSON.stringify(outcome).length).toBeLessThanOrEqual(4_096);
});
