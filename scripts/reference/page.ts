/** Pages of the reference, as markdown: one for each entry point, and an index of them. */
import type { Member } from "./declared.ts";
import { titleOf, type Entry, type Exported, type Reference } from "./entries.ts";

/** The values of an interface's members where nothing else is said, by the name of the interface. */
export type Defaults = ReadonlyMap<string, { readonly [member: string]: unknown }>;

export interface Pages {
  /** The text of each page, by its file name. */
  readonly pages: ReadonlyMap<string, string>;
  /** Links that lead nowhere, one sentence each. */
  readonly faults: readonly string[];
}

/** What is together on a page, in this order. */
const groups: readonly { readonly title: string; readonly has: (item: Exported) => boolean }[] = [
  { title: "Functions", has: ({ kind }) => kind === "function" },
  { title: "Classes", has: ({ kind }) => kind === "class" },
  { title: "Constants", has: ({ kind }) => kind === "constant" },
  { title: "Types", has: ({ kind, name }) => kind === "type" && !/Of$|^Any/.test(name) },
  { title: "Types of a definition", has: ({ kind, name }) => kind === "type" && name.endsWith("Of") },
  { title: "Types of any room", has: ({ kind, name }) => kind === "type" && name.startsWith("Any") },
];

const madeBy = "<!-- Made by `npm run docs:reference` from the doc comments. -->";

export function renderPages({ entries }: Reference, defaults: Defaults): Pages {
  const faults: string[] = [];
  const addresses = addressesIn(entries);
  const pages = new Map([["README.md", indexOf(entries)]]);
  for (const entry of entries)
    pages.set(pageOf(entry.name), new PageWriter(entry, addresses, defaults, faults).write());
  return { pages, faults };
}

/** Where everything is that can be linked: the page and the heading's anchor, by `Room` or `Room.transact`. */
function addressesIn(
  entries: readonly Entry[],
): ReadonlyMap<string, readonly [page: string, anchor: string]> {
  const addresses = new Map<string, readonly [string, string]>();
  for (const { name: entry, own } of entries)
    for (const { name, members } of own) {
      addresses.set(name, [pageOf(entry), anchorOf(name)]);
      for (const member of members) {
        const title = titleOf(name, member);
        addresses.set(title, [pageOf(entry), anchorOf(member.isCalled ? title : name)]);
      }
    }
  return addresses;
}

/** `client.md` of `deltaroom/client`. */
function pageOf(entry: string): string {
  return `${entry.split("/").at(-1)}.md`;
}

/** As GitHub and most others make the anchor of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, "")
    .replaceAll(" ", "-");
}

function indexOf(entries: readonly Entry[]): string {
  const lines = entries.map(({ name, comment, own }) => {
    const named = own.filter(({ kind }) => kind !== "type").map((item) => linkTo(item.name, pageOf(name)));
    const count = own.filter(({ kind }) => kind === "type").length;
    const types = count === 0 ? "" : ` and ${count} types`;
    return `| [${name}](${pageOf(name)}) | ${inline(fromHere(firstSentence(comment)))} | ${named.join(", ")}${types} |`;
  });
  return [
    madeBy,
    "# Reference",
    "What each entry point of the package exports, made from the doc comments in the source. The [guide](../GUIDE.md) says how it goes together.",
    ["| import | what it is | exports |", "| --- | --- | --- |", ...lines].join("\n"),
    "",
  ].join("\n\n");
}

class PageWriter {
  readonly #entry: Entry;
  readonly #page: string;
  readonly #addresses: ReturnType<typeof addressesIn>;
  readonly #defaults: Defaults;
  readonly #faults: string[];

  constructor(entry: Entry, addresses: ReturnType<typeof addressesIn>, defaults: Defaults, faults: string[]) {
    this.#entry = entry;
    this.#page = pageOf(entry.name);
    this.#addresses = addresses;
    this.#defaults = defaults;
    this.#faults = faults;
  }

  write(): string {
    const { name, comment, own, others } = this.#entry;
    const sorted = own.toSorted((a, b) => a.name.localeCompare(b.name, "en"));
    const grouped = groups.map(({ title, has }) => ({ title, items: sorted.filter(has) }));
    const contents = grouped.flatMap(({ title, items }) => {
      if (items.length === 0) return [];
      const rows = items.map(
        (item) => `| ${this.#link(item.name)} | ${this.#cell(firstSentence(item.comment), item.name)} |`,
      );
      return [[`| ${title} | |`, "| --- | --- |", ...rows].join("\n")];
    });
    const more = others.map(([other]) => this.#link(other)).join(", ");
    return [
      madeBy,
      `# ${name}`,
      this.#prose(comment, name),
      ...contents,
      ...(more === "" ? [] : [`It exports as well: ${more}.`]),
      ...grouped.flatMap(({ items }) => items.flatMap((item) => this.#describe(item))),
      "",
    ].join("\n\n");
  }

  #describe(item: Exported): string[] {
    const { name, comment, signature, members } = item;
    const rows = members.filter((member) => !member.isCalled);
    return [
      `## ${name}`,
      block(signature),
      this.#prose(comment, name),
      ...this.#typesIn(signature, name),
      ...(rows.length === 0 ? [] : [this.#table(name, rows)]),
      ...members.filter((member) => member.isCalled).flatMap((member) => this.#describeCall(name, member)),
    ];
  }

  #describeCall(owner: string, member: Member): string[] {
    const { text, comment } = member;
    return [
      `### ${titleOf(owner, member)}`,
      block(text),
      this.#prose(comment, owner),
      ...this.#typesIn(text, owner),
    ];
  }

  #table(owner: string, members: readonly Member[]): string {
    const defaults = this.#defaults.get(owner);
    const rows = members.map(({ name, isOptional, text, comment }) => {
      const cells = [`\`${name}${isOptional ? "?" : ""}\``, this.#linkTypes(text, owner)];
      if (defaults !== undefined) cells.push(inline(shownValue(defaults[name])));
      return `| ${[...cells, this.#cell(comment, owner)].join(" | ")} |`;
    });
    const heads = ["", "type", ...(defaults === undefined ? [] : ["default"]), ""];
    return [`| ${heads.join(" | ")} |`, `| ${heads.map(() => "---").join(" | ")} |`, ...rows].join("\n");
  }

  /** A code block holds no links: they are listed behind it. */
  #typesIn(code: string, owner: string): string[] {
    const names = [...new Set(code.match(/\b[A-Z]\w*/g))].filter((name) => this.#isLinked(name, owner));
    return names.length === 0 ? [] : [`Types: ${names.map((name) => this.#link(name)).join(", ")}`];
  }

  /** A type as code in which the types of the package are links. */
  #linkTypes(text: string, owner: string): string {
    const pieces = text.replaceAll(/\s*\n\s*/g, " ").split(/\b([A-Z]\w*)\b/);
    let code = "";
    let linked = "";
    for (const piece of pieces) {
      if (!this.#isLinked(piece, owner)) code += piece;
      else {
        linked += inCode(code) + this.#link(piece);
        code = "";
      }
    }
    return inline(linked + inCode(code));
  }

  /** Every definition is an `AnyRoomDefinition`: to say so each time helps nobody. */
  #isLinked(name: string, owner: string): boolean {
    return name !== owner && name !== "AnyRoomDefinition" && this.#addresses.has(name);
  }

  #cell(comment: string, owner: string): string {
    return inline(this.#prose(comment, owner));
  }

  /** A comment with its links, and with one wherever it names an export that cannot be taken for a word. */
  #prose(comment: string, owner: string): string {
    return fromHere(comment)
      .replaceAll(/\{@link ([\w.]+)\}/g, (_, target: string) => this.#link(target))
      .replaceAll(/(?<![[\w])`([A-Za-z]+)`/g, (code, name: string) =>
        /[A-Z]/.test(name) && name !== owner && this.#addresses.has(name) ? this.#link(name) : code,
      );
  }

  #link(target: string): string {
    const address = this.#addresses.get(target);
    if (address === undefined) {
      this.#faults.push(`a comment on ${this.#page} links ${target}, which is not exported`);
      return `\`${target}\``;
    }
    const [page, anchor] = address;
    return `[\`${target}\`](${page === this.#page ? "" : page}#${anchor})`;
  }
}

function linkTo(name: string, page: string): string {
  return `[\`${name}\`](${page}#${anchorOf(name)})`;
}

function block(code: string): string {
  return `\`\`\`ts\n${code}\n\`\`\``;
}

function inCode(text: string): string {
  return text === "" ? "" : `\`${text}\``;
}

/** In a cell of a table. */
function inline(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ").replaceAll("|", "\\|");
}

/** Comments link files from the root of the repository. */
function fromHere(comment: string): string {
  return comment.replaceAll("](docs/", "](../");
}

function firstSentence(comment: string): string {
  return /^[^]*?[^.]\.(?=\s|$)/.exec(comment.split("\n\n")[0] ?? "")?.[0] ?? comment;
}

function shownValue(value: unknown): string {
  return typeof value === "number" ? value.toLocaleString("en") : JSON.stringify(value);
}
