import { onTestFinished, vi } from "vitest";

/** One line of the log, of the Worker or of a room. */
export interface LoggedLine {
  readonly event: string;
  readonly [fact: string]: unknown;
}

/** What is logged until the end of the test; it is not printed. */
export function linesLogged(): LoggedLine[] {
  const lines: LoggedLine[] = [];
  const spy = vi.spyOn(console, "warn").mockImplementation((line: string) => {
    lines.push(JSON.parse(line) as LoggedLine);
  });
  onTestFinished(() => spy.mockRestore());
  return lines;
}
