import { describe, expect, test } from "vitest";
import { isRefusal, willPass } from "../../src/protocol/closing.ts";
import { codes, type Code } from "../../src/protocol/codes.ts";

const rows = Object.entries(codes) as [Code, (typeof codes)[Code]][];

test("the table is closed: it has these codes and no others", () => {
  const named =
    "invalid not-found conflict forbidden unauthorized not-ready closed too-large rate-limited room-full gap too-old gone " +
    "id-conflict idle epoch-changed diverged schema-mismatch replaced internal queue-full timeout token-expired";
  expect(rows.map(([code]) => code).toSorted()).toEqual(named.split(" ").toSorted());
});

describe("every code", () => {
  test("has a close code of its own", () => {
    expect(new Set(rows.map(([, { closeCode }]) => closeCode)).size).toBe(rows.length);
  });

  test.each(rows)("%s can be sent as an HTTP status and as a close code", (code, row) => {
    expect(row.status).toBeGreaterThanOrEqual(400);
    expect(row.status).toBeLessThanOrEqual(599);
    // An application may use 4000 to 4999; 1000 is the close that a client asked for itself.
    expect(code === "closed" ? row.closeCode === 1000 : row.closeCode >= 4000 && row.closeCode <= 4999).toBe(
      true,
    );
    // A close reason has at most 123 bytes.
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(code.length).toBeLessThanOrEqual(40);
  });

  test.each(rows)("%s says what it means in a sentence, and whether to try again", (_code, row) => {
    expect(row.sentence).toMatch(/^[A-Z].*\.$/);
    expect(row.sentence.length).toBeLessThanOrEqual(80);
    expect(["retry", "final"]).toContain(row.advice);
  });

  test.each(rows)("%s is told from a close of the network's, and its advice is followed", (code, row) => {
    expect(isRefusal(row.closeCode)).toBe(code !== "closed");
    expect(willPass(row.closeCode)).toBe(row.advice === "retry");
  });
});

test.each([1000, 1001, 1005, 1006, 1011, 3000, 4000, 4999])(
  "a close with %i is not the room's own",
  (closeCode) => {
    expect(isRefusal(closeCode)).toBe(false);
  },
);
