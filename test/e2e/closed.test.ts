import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser } from "./browser.ts";
import { DevServer } from "./dev-server.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const secret = "a secret of this test, which nobody has to guess";

let browser: Browser;
beforeAll(async () => void (browser = await launchBrowser()));
afterAll(async () => await browser?.close());

/** The demo as one of its scripts serves it; ends with the tests of its block. */
function serve(...command: [string, ...string[]]): () => DevServer {
  let server: DevServer | undefined;
  beforeAll(async () => void (server = await DevServer.start({ folder: repository, command })));
  afterAll(async () => await server?.stop());
  return () => server as DevServer;
}

/** What `npm run token` prints. */
function tokenFor(...args: readonly string[]): string {
  const env = { ...process.env, DELTAROOM_JWT_SECRET: secret };
  const options = { cwd: repository, env, encoding: "utf8" } as const;
  const { stdout, stderr } = spawnSync("npm", ["run", "--silent", "token", "--", ...args], options);
  if (stdout.trim() === "") throw new Error(stderr);
  return stdout.trim();
}

describe.each([
  ["npm start", serve("npm", "start", "--")],
  ["npm run start:react", serve("npm", "run", "start:react", "--")],
])("%s", (_, server) => {
  test("serves pages that load nothing of others, and that nobody frames", async () => {
    for (const path of ["/", "/main.js", "/style.css"]) {
      const { headers } = await fetch(server().url + path);
      expect(headers.get("Content-Security-Policy")).toMatch(
        /^default-src 'none'; .*frame-ancestors 'none'$/,
      );
      expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
      expect(headers.get("Referrer-Policy")).toBe("no-referrer");
    }
  });
});

describe("npm start", () => {
  const server = serve("npm", "start", "--");

  test("says that anyone can join, and what closes the rooms", () => {
    const line = /^deltaroom: anyone who can reach this address .*DELTAROOM_JWT_SECRET.*authentication\.md$/m;
    expect(server().log).toMatch(line);
  });
});

describe("npm start with a secret", () => {
  const server = serve("npm", "start", "--", "--var", `DELTAROOM_JWT_SECRET:${secret}`);

  async function open(token: string): Promise<Page> {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.on("dialog", (dialog) => void dialog.accept(token));
    await page.goto(`${server().url}/?room=closed`);
    return page;
  }

  test("says so, and tells nobody the state who has no token", async () => {
    expect(server().log).toMatch(/^deltaroom: rooms are open to who has a token/m);
    expect(server().log).not.toContain("anyone who can reach");
    expect((await fetch(`${server().url}/rooms/closed`)).status).toBe(401);
  });

  test("asks in the page for a token, and opens the board with a good one", async () => {
    const token = tokenFor("closed", "--name", "Ada");
    const page = await open(token);
    await page.locator('[data-testid="board"]:not([aria-busy])').waitFor({ timeout: 20_000 });
    await page.context().close();
    const headers = { Authorization: `Bearer ${token}` };
    expect((await fetch(`${server().url}/rooms/closed`, { headers })).status).toBe(200);
    expect(server().log).not.toContain(token);
  });
});
