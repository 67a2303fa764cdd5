import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** Where a planted bug belongs, and what it makes of the code there. */
export interface PlantedEdit {
  /**
   * The declaration that the text is in: `name` of a function, constant or type, or `Class.member`. Where two files declare the same
   * name, the name of the file stands before it: `snapshot-sender#cut`.
   */
  readonly symbol: string;
  /** Text that stands in that declaration exactly once, but for white space and the commas that formatting adds. */
  readonly find: string;
  readonly replace: string;
}

/** A range of a source file. */
export interface Place {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

const repository = fileURLToPath(new URL("../..", import.meta.url));
const folders = ["src", "client", "demo", "testing"];
/** A declaration at the beginning of a line. */
const declaration =
  /^(?:export )?(?:abstract )?(?:async )?(?:class|function\*?|const|let|interface|type) (\w+)/gm;
/** A member of a class, which is indented by two spaces. */
const member =
  /^ {2}(?:(?:static|override|protected|private|async|readonly|get|set|declare) )*\*?(#?\w+)(?=[(<:?= ;])/gm;

interface Declared extends Place {
  readonly name: string;
}

/** Returns the place of `edit` in the source. Throws unless there is exactly one. */
export function placeOf({ symbol, find }: PlantedEdit): Place {
  const [, fileName, path = symbol] = /^([a-z-]+)#(.+)$/.exec(symbol) ?? [];
  const declared = declarationsOf(path).filter(
    ({ file }) => fileName === undefined || file.endsWith(`/${fileName}.ts`),
  );
  const [place, ...others] = declared;
  if (place === undefined || others.length > 0)
    throw new Error(
      `${symbol} is declared ${declared.length} times: ${declared.map(({ file }) => file).join(", ")}`,
    );
  const text = sources().get(place.file)?.slice(place.start, place.end) ?? "";
  const [found, ...more] = text.matchAll(formatFree(find));
  if (found === undefined || more.length > 0)
    throw new Error(`${symbol} in ${place.file} has ${found ? more.length + 1 : 0} times: ${find}`);
  const start = place.start + found.index;
  return { file: place.file, start, end: start + found[0].length };
}

let read: ReadonlyMap<string, string> | undefined;

function sources(): ReadonlyMap<string, string> {
  if (read !== undefined) return read;
  const found = new Map<string, string>();
  for (const folder of folders)
    for (const entry of readdirSync(join(repository, folder), { recursive: true, withFileTypes: true })) {
      if (!/\.tsx?$/.test(entry.name)) continue;
      const path = join(entry.parentPath, entry.name);
      found.set(relative(repository, path), readFileSync(path, "utf8"));
    }
  return (read = found);
}

function declarationsOf(path: string): Declared[] {
  const [name = "", memberName] = path.split(".");
  const outer = [...sources().keys()].flatMap((file) =>
    topLevel(file).filter((found) => found.name === name),
  );
  if (memberName === undefined) return outer;
  // An accessor and its setter, or the overloads of a method, are one member.
  return outer.flatMap((found) => {
    const same = membersOf(found).filter((candidate) => candidate.name === memberName);
    const [first, last] = [same[0], same.at(-1)];
    return first === undefined || last === undefined ? [] : [{ ...first, end: last.end }];
  });
}

function topLevel(file: string): Declared[] {
  const text = sources().get(file) ?? "";
  const starts = [...text.matchAll(declaration)];
  return starts.map((found, index) => {
    return { name: found[1] ?? "", file, start: found.index, end: starts[index + 1]?.index ?? text.length };
  });
}

function membersOf({ file, start, end }: Declared): Declared[] {
  const text = (sources().get(file) ?? "").slice(start, end);
  if (!/^(?:export )?(?:abstract )?class /.test(text)) return [];
  const starts = [...text.matchAll(member)];
  return starts.map((found, index) => {
    const next = starts[index + 1]?.index ?? text.length;
    return { name: found[1] ?? "", file, start: start + found.index, end: start + next };
  });
}

/** A pattern for `find` however the code is broken into lines. */
function formatFree(find: string): RegExp {
  const tokens = find.trim().match(/\w+|[^\w\s]/g) ?? [];
  let pattern = "";
  for (const [index, token] of tokens.entries()) {
    const isWord = /^\w/.test(token);
    const wasWord = /\w$/.test(tokens[index - 1] ?? " ");
    if (index > 0) pattern += isWord && wasWord ? "\\s+" : "\\s*";
    if (/^[)}\]]$/.test(token)) pattern += ",?\\s*";
    pattern += isWord ? token : `\\${token}`;
  }
  return new RegExp(pattern, "g");
}
