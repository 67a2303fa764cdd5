/**
 * Prints `<passed> <failed>` of a vitest JSON report: `node scripts/count-tests.ts REPORT EXIT_STATUS`. The names of
 * what failed, and why in a line, go to stderr.
 *
 * A file that did not load and a run that failed outside of every test have no failed test to count, and
 * count as one failure each: otherwise the worst breakage would look like the best result.
 */
import { readFileSync } from "node:fs";
import path from "node:path";

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { status: string; fullName: string; failureMessages: string[] }[];
  }[];
}

const [reportPath = "", exitStatus = "1"] = process.argv.slice(2);

function readReport(): Report | null {
  try {
    return JSON.parse(readFileSync(reportPath, "utf8")) as Report;
  } catch {
    return null;
  }
}

const report = readReport();
const unloadedFiles =
  report?.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0) ?? [];
for (const { name, message, assertionResults } of report?.testResults ?? []) {
  for (const test of assertionResults) {
    if (test.status === "failed") tell(name, test.fullName, test.failureMessages[0]);
  }
  if (unloadedFiles.some((file) => file.name === name)) tell(name, "(the file itself)", message);
}
const passed = report?.numPassedTests ?? 0;
const failed = (report?.numFailedTests ?? 0) + unloadedFiles.length;
console.log(`${passed} ${failed === 0 && (exitStatus !== "0" || report === null) ? 1 : failed}`);

function tell(file: string, test: string, reason = ""): void {
  console.error(`FAILED: ${path.relative(".", file)}: ${test}: ${reason.split("\n")[0]}`);
}
