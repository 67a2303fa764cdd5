import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

// What lets a stranger find the way through the tree: files and folders that are not too large, names that mean one thing,
// and imports that run one way. Type-only imports count.

const root = fileURLToPath(new URL("../../", import.meta.url));
const maxLines = 320;
const maxFiles = 18;

/** Files that are longer, each with its lines. A number may only become smaller. */
const longFiles: { readonly [path: string]: number } = {
  "client/client-room.ts": 343,
  "client/connection/connection.ts": 325,
  "client/connection/sync.ts": 336,
};

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

function* filesIn(folder: string): Generator<SourceFile> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesIn(path);
    else if (/\.tsx?$/.test(entry.name)) yield { path, text: readFileSync(join(root, path), "utf8") };
  }
}

const product = ["src", "client", "testing"].flatMap((folder) => [...filesIn(folder)]);

/** Names that a file declares and exports, and not those that it passes on. */
function exportedNames(text: string): string[] {
  const declared =
    /^export (?:declare |abstract |async )*(?:const|let|function\*?|class|interface|type|enum) (\w+)/gm;
  return [...new Set(Array.from(text.matchAll(declared), ([, name = ""]) => name))];
}

/** The files of this repository that a file imports, for a value or for a type. */
function importsOf({ path, text }: SourceFile): string[] {
  const specifiers = text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"(\.[^"]+)"/g);
  return Array.from(specifiers, ([, to = ""]) => relative(root, resolve(root, dirname(path), to)));
}

/** Keys that have more than one value, with the values. */
function doubled(pairs: Iterable<readonly [key: string, value: string]>): string[] {
  const byKey = new Map<string, string[]>();
  for (const [key, value] of pairs) byKey.set(key, [...(byKey.get(key) ?? []), value]);
  return [...byKey]
    .filter(([, values]) => values.length > 1)
    .map(([key, values]) => `${key}: ${values.join(", ")}`);
}

/** A path that leads back to its beginning; undefined where no import does. */
function circleIn(imports: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): string[] | undefined => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const next of imports.get(file) ?? []) {
      const circle = visit(next, [...way, file]);
      if (circle !== undefined) return circle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of imports.keys()) {
    const circle = visit(file, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

describe("the layout of the product's code", () => {
  test(`no file has more than ${maxLines} lines, but for those that are named`, () => {
    const lines = product.map(({ path, text }) => [path, text.split("\n").length - 1] as const);
    const long = Object.fromEntries(lines.filter(([, count]) => count > maxLines));
    expect(long).toEqual(longFiles);
  });

  test(`no folder has more than ${maxFiles} files`, () => {
    const folders = new Map<string, number>();
    for (const top of ["src", "client", "testing", "demo", "test", "scripts"])
      for (const { path } of filesIn(top)) folders.set(dirname(path), (folders.get(dirname(path)) ?? 0) + 1);
    expect([...folders].filter(([, count]) => count > maxFiles)).toEqual([]);
  });

  test("an exported name is declared once", () => {
    const names = product.flatMap(({ path, text }) =>
      exportedNames(text).map((name) => [name, path] as const),
    );
    expect(doubled(names)).toEqual([]);
  });

  test("a name is not that of a type and of a value", () => {
    const both = product.flatMap(({ path, text }) => {
      const types = new Set(
        Array.from(text.matchAll(/^export (?:type|interface) (\w+)/gm), ([, name]) => name),
      );
      const values = Array.from(text.matchAll(/^(?:export )?const (\w+)/gm), ([, name]) => name);
      return values.filter((name) => types.has(name)).map((name) => `${name} in ${path}`);
    });
    expect(both).toEqual([]);
  });

  test("a file name is used once, but for the index of an entry point", () => {
    const files = product.map(({ path }) => [basename(path), path] as const);
    const shared = ["index.ts", "json.ts"];
    expect(doubled(files.filter(([name]) => !shared.includes(name)))).toEqual([]);
  });

  test("no import leads back to the file that it began in", () => {
    expect(circleIn(new Map(product.map((file) => [file.path, importsOf(file)])))).toBeUndefined();
  });

  test("a circle of three is found", () => {
    const imports = new Map([
      ["a", ["b", "d"]],
      ["b", ["c"]],
      ["c", ["a"]],
      ["d", []],
    ]);
    expect(circleIn(imports)).toEqual(["a", "b", "c", "a"]);
  });

  test("each folder of the product says what lives in it", () => {
    const folders = new Set(product.map(({ path }) => dirname(path)));
    const silent = [...folders].filter((folder) => !readdirSync(join(root, folder)).includes("README.md"));
    expect(silent).toEqual([]);
  });
});
