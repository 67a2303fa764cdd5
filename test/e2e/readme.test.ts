import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { stagesOf, type Files } from "../docs/code-blocks.ts";
import { DevServer } from "./dev-server.ts";

const repo = fileURLToPath(new URL("../../", import.meta.url));
const stages = stagesOf("README.md");
const patience = { timeout: 30_000, interval: 50 };

/** A folder with the README's files, in which the packages that it names are installed. */
function save(files: Files): string {
  const folder = mkdtempSync(join(tmpdir(), "deltaroom-readme-"));
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(repo, join(folder, "node_modules/deltaroom"), "dir");
  symlinkSync(join(repo, "node_modules/zod"), join(folder, "node_modules/zod"), "dir");
  return folder;
}

beforeAll(() => {
  const built = spawnSync("npm", ["run", "build"], { cwd: repo, encoding: "utf8" });
  if (built.status !== 0) throw new Error(built.stdout + built.stderr);
}, 120_000);

describe.each(stages.map((files, index) => ({ stage: index + 1, files })))(
  "the README's room, stage $stage",
  ({ files }) => {
    const folder = save(files);
    const running: ChildProcess[] = [];
    let server: DevServer;

    beforeAll(async () => {
      const command = ["node", join(repo, "scripts/wrangler.ts"), "dev", "--ip", "127.0.0.1"] as const;
      server = await DevServer.start({ folder, command: [...command] });
    });
    afterEach(() => running.splice(0).forEach((client) => client.kill()));
    afterAll(async () => {
      await server.stop();
      rmSync(folder, { recursive: true });
    });

    /** Runs one of its clients in a process of its own; answers what that has printed so far. */
    async function run(name: string): Promise<() => string> {
      const outfile = join(folder, `${name}.mjs`);
      await build({
        entryPoints: [join(folder, name)],
        outfile,
        bundle: true,
        format: "esm",
        platform: "node",
      });
      const there = `http://localhost:8787`;
      const script = `import { readFileSync } from "node:fs";
      const text = readFileSync(${JSON.stringify(outfile)}, "utf8").replaceAll("${there}", "${server.url}");
      await import("data:text/javascript;base64," + Buffer.from(text).toString("base64"));`;
      const client = spawn(process.execPath, ["--input-type=module", "-e", script], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      running.push(client);
      let printed = "";
      for (const output of [client.stdout, client.stderr])
        output.on("data", (chunk) => (printed += String(chunk)));
      return () => printed;
    }

    it("shows each of two clients what the other does", async () => {
      const first = await run("client.ts");
      await expect.poll(first, patience).toContain("color: 'red'");
      const second = await run("client.ts");
      await expect.poll(() => second().match(/color/g)?.length ?? 0, patience).toBeGreaterThan(1);
      await expect.poll(() => first().match(/color/g)?.length ?? 0, patience).toBeGreaterThan(2);
      const { collections } = await server.readRoom("lobby");
      expect(Object.keys(collections.shapes)).toHaveLength(2);
    });

    it.runIf(files.has("claim.ts"))("tells the second who claims the same that somebody has it", async () => {
      await run("claim.ts");
      const tasks = async () => (await fetch(`${server.url}/rooms/lobby`)).text();
      await vi.waitFor(async () => expect(await tasks()).toMatch(/"t1":.*"assignee":"/), patience);
      const second = await run("claim.ts");
      await expect.poll(second, patience).toMatch(/conflict \S+ has it/);
      expect(second()).toMatch(/deltaroom: claim was rejected and is undone: conflict, \S+ has it/);
    });
  },
);
