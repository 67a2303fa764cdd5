import { describe, expect, test } from "vitest";
import { connect, type ConnectOptions } from "../../client/index.ts";
import { testBoard, type TestBoard } from "../support/boards/test-board.ts";

/** Opens a room whose socket never opens, and leaves it. */
function open(options: ConnectOptions<TestBoard>): void {
  const transport = () => ({ send() {}, close() {}, addEventListener() {} });
  connect("https://example.com/rooms/a", testBoard, { transport, ...options }).close();
}

const must = "it must be a finite number from 0 on";

describe("connect throws at once", () => {
  test.each([
    ["sendIntervalMs", { sendIntervalMs: -1 }, `connect: sendIntervalMs is -1; ${must}`],
    ["sendIntervalMs", { sendIntervalMs: Number.NaN }, `connect: sendIntervalMs is NaN; ${must}`],
    ["sendIntervalMs", { sendIntervalMs: Infinity }, `connect: sendIntervalMs is Infinity; ${must}`],
    ["disconnectWhenHidden", { disconnectWhenHidden: -5 }, `connect: disconnectWhenHidden is -5; ${must}`],
    ["disconnectWhenHidden", { disconnectWhenHidden: Infinity }, `disconnectWhenHidden is Infinity; ${must}`],
    ["a limit", { limits: { maxPeers: -1 } }, `connect: limits.maxPeers is -1; ${must}`],
    ["a limit", { limits: { maxPartBytes: Number.NaN } }, `connect: limits.maxPartBytes is NaN; ${must}`],
    ["a limit", { limits: { correctionsBurst: -Infinity } }, `limits.correctionsBurst is -Infinity; ${must}`],
    [
      "a limit",
      { limits: { maxPendingCalls: "5" as unknown as number } },
      `limits.maxPendingCalls is 5; ${must}`,
    ],
  ])("for %s of %o", (_, options, message) => {
    expect(() => open(options)).toThrow(RangeError);
    expect(() => open(options)).toThrow(message);
  });

  test("for a limit that there is not", () => {
    const options: object = { limits: { maxPendingCall: 5 } };
    expect(() => open(options)).toThrow(TypeError);
    expect(() => open(options)).toThrow(
      'limits: there is no option "maxPendingCall"; there are maxPendingCalls,',
    );
  });
});

test.each([
  {},
  { sendIntervalMs: 0, disconnectWhenHidden: 0 },
  { sendIntervalMs: 16.5, disconnectWhenHidden: false as const },
  { limits: {} },
  { limits: { maxPeers: 0, correctionsPerMinute: 0.5 } },
])("connect takes %o", (options) => {
  expect(() => open(options)).not.toThrow();
});

test.each([
  ["an id alone", "ada"],
  ["an empty id", { userId: "" }],
  ["another word", { user: "ada" }],
])("persist refuses %s", (_, persist) => {
  expect(() => open({ persist } as never)).toThrow(TypeError);
});
