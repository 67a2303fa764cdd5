import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { readReference } from "../../scripts/reference/entries.ts";
import { renderPages } from "../../scripts/reference/page.ts";

const cache = fileURLToPath(new URL("../../node_modules/.cache", import.meta.url));
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, "reference-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the reference makes of a package: its entry point `kettle`, and another, `kettle/lid`, where there is one. */
function referTo(files: { readonly [file: string]: string }) {
  const app = mkdtempSync(join(folder, "app-"));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(app, file), text);
  const tsconfig = join(app, "tsconfig.json");
  const compilerOptions = {
    strict: true,
    noEmit: true,
    module: "ESNext",
    moduleResolution: "bundler",
    allowImportingTsExtensions: true,
    types: [],
  };
  writeFileSync(tsconfig, JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  const sources = new Map([["kettle", join(app, "kettle.ts")]]);
  if (files["lid.ts"] !== undefined) sources.set("kettle/lid", join(app, "lid.ts"));
  const reference = readReference(tsconfig, sources);
  const { pages, faults } = renderPages(reference, new Map());
  return { faults: [...reference.faults, ...faults], page: (name: string) => pages.get(name) ?? "" };
}

it("a page has an export's declaration without its body, its comment and its members with links to their types", () => {
  const { page, faults } = referTo({
    "kettle.ts": `
/** What a kitchen imports. */
export { boil } from "./boil.ts";
export type { Kettle, Water } from "./boil.ts";
`,
    "boil.ts": `
/** What goes in. */
export interface Water {
  /** Degrees Celsius. */
  readonly degrees: number;
}
/** A thing with a spout. */
export interface Kettle {
  /** What is in it. */
  readonly water: Water | undefined;
  /** Pours {@link Water} out. */
  pour(into: string): Water;
}
/** Heats the water of a \`Kettle\`. Throws a RangeError for an empty one. */
export function boil(kettle: Kettle, seconds = 60): Promise<Water> {
  return Promise.reject(new RangeError(String(kettle.water?.degrees ?? seconds)));
}
`,
  });
  expect(faults).toEqual([]);
  const text = page("kettle.md");
  expect(text).toContain("# kettle\n\nWhat a kitchen imports.");
  expect(text).toContain("```ts\nfunction boil(kettle: Kettle, seconds = 60): Promise<Water>\n```");
  expect(text).toContain("Heats the water of a [`Kettle`](#kettle). Throws a RangeError for an empty one.");
  expect(text).toContain("| `water` | [`Water`](#water)` \\| undefined` | What is in it. |");
  expect(text).toContain(
    "### Kettle.pour\n\n```ts\npour(into: string): Water\n```\n\nPours [`Water`](#water) out.",
  );
  expect(text).not.toContain("Promise.reject");
  expect(page("README.md")).toContain("[`boil`](kettle.md#boil) and 2 types");
});

it("what two entry points export is described at the first, and linked from the other", () => {
  const { page, faults } = referTo({
    "kettle.ts": "/** What a kitchen imports. */\nexport * from './boil.ts';\n",
    "lid.ts": "/** What a lid imports. */\nexport * from './boil.ts';\n",
    "boil.ts": "/** What water does at last. */\nexport function boil(): void {}\n",
  });
  expect(faults).toEqual([]);
  expect(page("kettle.md")).toContain("## boil");
  expect(page("lid.md")).not.toContain("## boil");
  expect(page("lid.md")).toContain("It exports as well: [`boil`](kettle.md#boil).");
});

it("what has no comment is named: an entry point, an export, a member, a member inside of an option", () => {
  const { faults } = referTo({
    "kettle.ts": `
/** What a kitchen imports. */
import "./boil.ts";
export class Kettle {
  degrees = 20;
  /** Makes it hot. */
  boil(): void {}
  #secret = 1;
  private lid = this.#secret;
  get isOpen() { return this.lid === 0; }
}
/** How it is made. */
export type Options = { readonly spout?: { readonly length: number } };
`,
    "boil.ts": "export {};\n",
  });
  const without = (name: string) => `${name} has no comment that says what it is`;
  expect(faults).toEqual([
    without("Kettle"),
    without("Kettle.degrees"),
    without("Kettle.isOpen"),
    without("Options.spout"),
    without("Options.spout.length"),
  ]);
  expect(referTo({ "kettle.ts": "export {};\n" }).faults).toEqual([
    "kettle.ts does not begin with a comment",
  ]);
});

it("a type in a signature that no entry point exports is named, and one that is only inside of a type is not shown", () => {
  const { faults, page } = referTo({
    "kettle.ts": `
/** What a kitchen imports. */
import type { Hidden } from "./hidden.ts";
/** Heats what is inside. */
export function boil(kettle: Hidden): void {
  kettle satisfies Hidden;
}
/** The names of its parts. */
export type PartOf<K> = K extends Hidden ? keyof Hidden : never;
`,
    "hidden.ts": "export interface Hidden { spout: string }\n",
  });
  expect(faults).toEqual(["boil names Hidden, which no entry exports"]);
  expect(page("kettle.md")).toContain("type PartOf<K> = …");
});

it("a link to what is not exported is named", () => {
  const { faults } = referTo({
    "kettle.ts": "/** Heats a {@link Pot} of water. */\nexport function boil(): void {}\n",
  });
  expect(faults).toContain("a comment on kettle.md links Pot, which is not exported");
});
