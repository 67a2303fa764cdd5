/**
 * Compiles what an app exports against the packed package, as `npm install` brings it: with the lowest versions of zod,
 * TypeScript and React's types that the package promises, and with the newest. Each file of test/declarations is compiled
 * alone, since a declaration can name a type only by a module that the program knows. `skipLibCheck` is off, so that the
 * package's own declarations are checked as well. Then the app runs in Node.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The oldest version that README promises. */
const lowestTypeScript = "5.9";
/** The oldest declarations of React 18 that compile by themselves. */
const lowestReactTypes = "18.3.1";

const root = fileURLToPath(new URL("../", import.meta.url));
const { peerDependencies, devDependencies } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
  readonly peerDependencies: { readonly zod: string };
  readonly devDependencies: { readonly [name: string]: string };
};
const workersTypes = devDependencies["@cloudflare/workers-types"];

/** What is installed beside the package. */
const apps: { readonly [name: string]: { readonly [dependency: string]: string | undefined } } = {
  lowest: {
    zod: peerDependencies.zod.replace(/^\D+/, ""),
    typescript: `~${lowestTypeScript}.0`,
    "@types/react": lowestReactTypes,
    "@cloudflare/workers-types": workersTypes,
  },
  newest: {
    zod: peerDependencies.zod,
    typescript: devDependencies["typescript"],
    "@types/react": devDependencies["@types/react"],
    "@cloudflare/workers-types": workersTypes,
  },
};

const common = {
  target: "ES2023",
  module: "ESNext",
  moduleResolution: "bundler",
  jsx: "react-jsx",
  strict: true,
  skipLibCheck: false,
  allowImportingTsExtensions: true,
  rootDir: "app",
  declaration: true,
  emitDeclarationOnly: true,
  outDir: "declared",
};
const browser = { lib: ["ES2023", "DOM", "DOM.Iterable"], types: [] };
const worker = { lib: ["ES2023"], types: ["@cloudflare/workers-types"] };
/** The modules that an app exports from, and what each of them runs in. */
const modules = {
  "board.ts": browser,
  "mini.ts": browser,
  "page.ts": browser,
  "hooks.tsx": browser,
  "tests.ts": browser,
  "worker.ts": worker,
};

interface Ended {
  readonly isDone: boolean;
  readonly output: string;
}

async function run(cwd: string, command: string, ...args: readonly string[]): Promise<Ended> {
  try {
    return { isDone: true, output: (await promisify(execFile)(command, args, { cwd })).stdout };
  } catch (failure) {
    const { stdout, stderr } = failure as { readonly stdout: string; readonly stderr: string };
    return { isDone: false, output: `${command} ${args.join(" ")} failed:\n${stdout}${stderr}` };
  }
}

async function mustRun(...command: Parameters<typeof run>): Promise<string> {
  const { isDone, output } = await run(...command);
  if (!isDone) throw new Error(output);
  return output.trim();
}

/** What is wrong with an app that has these dependencies, one text each. */
async function faultsOf(app: string, dependencies: object, tarball: string): Promise<string[]> {
  mkdirSync(app);
  cpSync(join(root, "test/declarations"), join(app, "app"), { recursive: true });
  const manifest = { private: true, type: "module", dependencies: { ...dependencies, deltaroom: tarball } };
  writeFileSync(join(app, "package.json"), JSON.stringify(manifest));
  await mustRun(app, "npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock");
  const versions = ["zod", "typescript", "@types/react"].map((name) => {
    const installed = JSON.parse(readFileSync(join(app, "node_modules", name, "package.json"), "utf8"));
    return `${name} ${(installed as { readonly version: string }).version}`;
  });
  console.log(`with ${versions.join(", ")}`);
  const faults: string[] = [];
  for (const [module, platform] of Object.entries(modules)) {
    const compilerOptions = { ...common, ...platform };
    writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [`app/${module}`] }));
    const { isDone, output } = await run(app, "node_modules/.bin/tsc", "-p", ".");
    if (!isDone) faults.push(`${module} does not compile with ${versions.join(", ")}: ${output}`);
  }
  const { isDone, output } = await run(app, "node", "app/run.ts");
  return isDone ? faults : [...faults, `the app does not run with ${versions.join(", ")}: ${output}`];
}

const folder = mkdtempSync(join(tmpdir(), "deltaroom-declarations-"));
try {
  const packed = await mustRun(root, "npm", "pack", "--silent", "--pack-destination", folder);
  const tarball = join(folder, packed.slice(packed.lastIndexOf("\n") + 1));
  const checks = Object.entries(apps).map(([name, dependencies]) => {
    return faultsOf(join(folder, name), dependencies, tarball);
  });
  const faults = (await Promise.all(checks)).flat();
  for (const fault of faults) console.error(fault);
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
