/**
 * Prints `<passed> <failed>` of a vitest JSON report: `node scripts/count-tests.ts REPORT EXIT_STATUS`.
 *
 * A file that did not load and a run that failed outside of every test have no failed test to count, and
 * count as one failure each: otherwise the worst breakage would look like the best result.
 */
import { readFileSync } from "node:fs";

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { status: string; assertionResults: unknown[] }[];
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
const passed = report?.numPassedTests ?? 0;
const failed = (report?.numFailedTests ?? 0) + unloadedFiles.length;
console.log(`${passed} ${failed === 0 && (exitStatus !== "0" || report === null) ? 1 : failed}`);
