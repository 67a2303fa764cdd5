import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const repo = fileURLToPath(new URL("../../", import.meta.url));

function frame(args: readonly string[], input = "") {
  const { stdout, stderr, status } = spawnSync(process.execPath, ["scripts/explain-frame.ts", ...args], {
    cwd: repo,
    encoding: "utf8",
    input,
  });
  return { stdout, stderr, status };
}

const update = '{"kind":"update","lastCallId":1,"outcomes":[[1,1]]}\n';

describe("npm run frame", () => {
  test.each([
    ["hex", "260101040200"],
    ["hex with spaces", "26 01 01 04 02 00"],
    ["hex as a literal", "0x260101040200"],
    ["base64", "JgEBBAIA"],
  ])("reads %s", (_, given) => {
    expect(frame([given])).toEqual({ stdout: update, stderr: "", status: 0 });
  });

  test("reads one frame from each line of its input, text as well, and goes on behind one that is none", () => {
    const { stdout, stderr, status } = frame([], '260101040200\n\nff\n{"kind":"ack","bytes":1}\nJgEBBAIA\n');
    expect(stdout).toBe(`${update}{"kind":"ack","bytes":1}\n${update}`);
    expect(stderr).toContain("ff: ");
    expect(status).toBe(1);
  });

  test("says what is wrong with a module that exports no room", () => {
    const { stderr, status } = frame(["--room", "demo/shapes/geometry.ts", "260101040200"]);
    expect(stderr).toContain("demo/shapes/geometry.ts exports 0 room definitions");
    expect(status).toBe(1);
  });

  test("answers what the page of the protocol says", () => {
    const page = readFileSync(`${repo}docs/PROTOCOL.md`, "utf8");
    const shown = [...page.matchAll(/^npm run frame -- (.*)\n# (.*)$/gm)];
    expect(shown.length).toBe(2);
    for (const [, args = "", answer] of shown) expect(frame(args.split(" ")).stdout).toBe(`${answer}\n`);
  });
});
