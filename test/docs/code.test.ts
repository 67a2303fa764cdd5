import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { stagesOf, type Files } from "./code-blocks.ts";

const repo = fileURLToPath(new URL("../../", import.meta.url));
const cache = join(repo, "node_modules/.cache");
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, "docs-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the compiler says of the files, saved in a folder of their own beside an installed deltaroom. */
function compile(name: string, files: Files, types: readonly string[] = []): string {
  const app = join(folder, name.replaceAll(/\W/g, "-"));
  mkdirSync(app);
  for (const [file, text] of files)
    if (/\.tsx?$/.test(file)) writeFileSync(join(app, file), `${text}\nexport {};\n`);
  const compilerOptions = {
    target: "ES2024",
    module: "ESNext",
    moduleResolution: "bundler",
    jsx: "react-jsx",
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    types: ["@cloudflare/workers-types", ...types],
    paths: {
      deltaroom: [join(repo, "src/index.ts")],
      "deltaroom/server": [join(repo, "src/server.ts")],
      "deltaroom/jwt": [join(repo, "src/jwt.ts")],
      "deltaroom/client": [join(repo, "client/index.ts")],
      "deltaroom/client/offline": [join(repo, "client/offline/index.ts")],
      "deltaroom/client/undo": [join(repo, "client/undo/index.ts")],
      "deltaroom/react": [join(repo, "client/react/index.ts")],
      "deltaroom/testing": [join(repo, "testing/index.ts")],
    },
  };
  writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts", "*.tsx"] }));
  const { stdout } = spawnSync(join(repo, "node_modules/.bin/tsc"), ["-p", app], { encoding: "utf8" });
  return stdout;
}

const guideBoard = [...(stagesOf("docs/GUIDE.md")[0] ?? [])].filter(([file]) => file === "board.ts");

describe.each([
  { page: "README.md", stages: 2 },
  { page: "docs/GUIDE.md", stages: 1 },
  { page: "docs/guide/pending.md", stages: 1 },
  { page: "docs/guide/testing.md", stages: 1, types: ["node"] },
  { page: "docs/guide/react.md", stages: 1 },
  { page: "docs/guide/frameworks.md", stages: 1 },
  { page: "docs/guide/lists.md", stages: 1 },
  { page: "docs/guide/undo.md", stages: 1 },
  { page: "docs/guide/presence.md", stages: 1 },
  { page: "docs/guide/connection.md", stages: 1 },
  { page: "docs/guide/offline.md", stages: 1 },
  { page: "docs/guide/private.md", stages: 1, types: ["node"] },
  { page: "docs/guide/changing.md", stages: 1 },
  { page: "docs/guide/authentication.md", stages: 1 },
])("the code of $page", ({ page, stages, types }) => {
  const found = stagesOf(page);

  it("is all there", () => {
    expect(found.length).toBe(stages);
    expect(found[0]?.size).toBeGreaterThan(1);
  });

  it.each(found.map((files, index) => ({ stage: index + 1, files })))(
    "compiles at stage $stage",
    ({ stage, files }) => {
      // A page that shows no room of its own is about that of the guide.
      expect(compile(`${page}-${stage}`, new Map([...guideBoard, ...files]), types)).toBe("");
    },
  );
});

describe("this check", () => {
  it("sees an error", () => {
    const files = new Map([
      ["wrong.ts", 'import { defineRoom } from "deltaroom"; defineRoom({ version: "1" });'],
    ]);
    expect(compile("wrong", files)).toContain("not assignable");
  });
});
