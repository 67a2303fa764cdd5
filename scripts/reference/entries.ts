/** The entry points of the package and what each of them exports, as the compiler sees their sources. */
import { dirname, resolve } from "node:path";
import {
  isClassDeclaration,
  isFunctionDeclaration,
  isInterfaceDeclaration,
  isTypeAliasDeclaration,
  isVariableDeclaration,
  isVariableStatement,
  type Node,
  type SourceFile,
} from "typescript/unstable/ast";
import { API, NodeBuilderFlags, SymbolFlags, type Project, type Symbol } from "typescript/unstable/sync";
import { commentOf, headOf, membersOf, signatureOf, typeNamesIn, type Member } from "./declared.ts";

/** `Room.transact`; `MutatorBuilder()` for what an interface is called with. */
export function titleOf(owner: string, { name }: Member): string {
  return name === "" ? `${owner}()` : `${owner}.${name}`;
}

/** Something that an entry point exports. */
export interface Exported {
  readonly name: string;
  readonly kind: "function" | "class" | "constant" | "type";
  /** Where it is declared: an absolute path. */
  readonly file: string;
  /** Markdown with `{@link …}`. */
  readonly comment: string;
  /** Its declaration, once for each overload. */
  readonly signature: string;
  readonly members: readonly Member[];
  /** Of an interface: the constant of its type beside it, which has what its members are where nothing else is said. */
  readonly defaults: string | undefined;
}

export interface Entry {
  /** As an app imports it: `deltaroom/client`. */
  readonly name: string;
  readonly comment: string;
  /** What this page is the place for. */
  readonly own: readonly Exported[];
  /** What it exports as well, by name, with the entry that has it. */
  readonly others: readonly (readonly [name: string, entry: string])[];
}

export interface Reference {
  readonly entries: readonly Entry[];
  /** What is wrong with the declarations, one sentence each. */
  readonly faults: readonly string[];
}

/** The sources of the entry points: by the name that an app imports, the path of the file. */
export type Sources = ReadonlyMap<string, string>;

/**
 * Reads what `sources` export. What several of them export belongs to the one that comes first. Throws when `tsconfig`
 * (a path) cannot be opened, or has none of a source.
 */
export function readReference(tsconfig: string, sources: Sources): Reference {
  const api = new API({ cwd: dirname(tsconfig) });
  try {
    const [project] = api.updateSnapshot({ openProjects: [tsconfig] }).getProjects();
    if (project === undefined) throw new Error(`${tsconfig} cannot be opened`);
    return new Reader(project, dirname(tsconfig)).read(sources);
  } finally {
    api.close();
  }
}

class Reader {
  readonly #project: Project;
  readonly #root: string;
  readonly #faults: string[] = [];
  /** The entry that has a symbol, by the symbol's id. */
  readonly #homes = new Map<number, string>();

  constructor(project: Project, root: string) {
    this.#project = project;
    this.#root = root;
  }

  read(sources: Sources): Reference {
    const exportsOf = new Map([...sources].map(([name, path]) => [name, this.#exportsOf(path)]));
    for (const [name, symbols] of exportsOf)
      for (const symbol of symbols.values())
        if (!this.#homes.has(symbol.id)) this.#homes.set(symbol.id, name);
    const entries = [...exportsOf].map(([name, symbols]): Entry => {
      const isOwn = ([, symbol]: [string, Symbol]) => this.#homes.get(symbol.id) === name;
      return {
        name,
        comment: this.#commentOfFile(sources.get(name) as string),
        own: [...symbols].filter(isOwn).map(([exportName, symbol]) => this.#describe(exportName, symbol)),
        others: [...symbols]
          .filter((one) => !isOwn(one))
          .map(([exportName, symbol]) => [exportName, this.#homes.get(symbol.id) as string]),
      };
    });
    for (const [name, symbols] of exportsOf) this.#requireOwnNames(name, symbols, exportsOf);
    return { entries, faults: this.#faults };
  }

  /**
   * The compiler names an inferred type by an import that it knows: of the entry that the app's file imports, or of the entry
   * that its definition imports, which is the first. So each entry exports every type that its signatures name.
   */
  #requireOwnNames(name: string, symbols: Map<string, Symbol>, exportsOf: Map<string, Map<string, Symbol>>) {
    const [first] = exportsOf.values();
    const named = new Set([...(first?.values() ?? []), ...symbols.values()].map(({ id }) => id));
    for (const [exported, symbol] of symbols)
      for (const [type, text] of this.#typesIn(this.#declarationsOf(symbol)))
        if (!named.has(type.id) && this.#homes.has(type.id))
          this.#faults.push(`${exported} names ${text}, which ${name} does not export`);
  }

  #exportsOf(path: string): Map<string, Symbol> {
    const { program, checker } = this.#project;
    const file = program.getSourceFile(path);
    const module = file && checker.getSymbolAtLocation(file);
    if (module === undefined) throw new Error(`${path} is no module of ${this.#project.configFileName}`);
    return new Map(checker.getExportsOfModule(module).map((symbol) => [symbol.name, this.#target(symbol)]));
  }

  /** The comment before the first statement is about the whole. */
  #commentOfFile(path: string): string {
    const [first] = this.#project.program.getSourceFile(path)?.statements ?? [];
    const comment = first === undefined ? "" : commentOf(first);
    if (comment === "") this.#faults.push(`${this.#shown(path)} does not begin with a comment`);
    return comment;
  }

  #describe(name: string, symbol: Symbol): Exported {
    const nodes = this.#declarationsOf(symbol);
    const [node] = nodes;
    if (node === undefined) throw new Error(`${name} has no declaration`);
    const members = membersOf(node);
    const unknown = this.#unknownTypesIn(nodes);
    // What a type is made of matters to nobody where its parts have no names of their own.
    const isOpaque = members.length === 0 && kindOf(node) === "type" && unknown.length > 0;
    if (!isOpaque)
      for (const type of unknown) this.#faults.push(`${name} names ${type}, which no entry exports`);
    const comment = nodes.map(commentOf).find(Boolean) ?? "";
    this.#judge(name, comment);
    for (const member of members) this.#judge(titleOf(name, member), member.comment);
    return {
      name,
      kind: kindOf(node),
      file: node.getSourceFile().fileName,
      comment,
      signature: isOpaque ? this.#resolved(node, symbol) : nodes.map(signatureOf).join("\n"),
      members,
      defaults: isInterfaceDeclaration(node) ? constantOf(name, node.getSourceFile()) : undefined,
    };
  }

  /** A union of literals as that; of a generic type only the name. */
  #resolved(node: Node, symbol: Symbol): string {
    if (!isTypeAliasDeclaration(node) || node.typeParameters !== undefined) return headOf(node);
    const { checker } = this.#project;
    const flags = NodeBuilderFlags.InTypeAlias | NodeBuilderFlags.NoTruncation;
    return `type ${symbol.name} = ${checker.typeToString(checker.getDeclaredTypeOfSymbol(symbol), node, flags)}`;
  }

  /** In an overloaded function all but the implementation. */
  #declarationsOf(symbol: Symbol): Node[] {
    const nodes = symbol.declarations.flatMap((handle) => handle.resolve() ?? []);
    const overloads = nodes.filter((node) => !isFunctionDeclaration(node) || node.body === undefined);
    return overloads.length > 0 ? overloads : nodes;
  }

  /** The types of this package that `nodes` name and that an app cannot import. */
  #unknownTypesIn(nodes: readonly Node[]): string[] {
    const unknown = [...this.#typesIn(nodes)].filter(([symbol]) => {
      return !this.#homes.has(symbol.id) && symbol.declarations.some(({ path }) => this.#isOurs(path));
    });
    return [...new Set(unknown.map(([, text]) => text))];
  }

  /** The types that `nodes` name, type parameters left out, and how they are written there. */
  *#typesIn(nodes: readonly Node[]): Generator<readonly [Symbol, string]> {
    const names = nodes.flatMap(typeNamesIn);
    const symbols = this.#project.checker.getSymbolAtLocation(names);
    for (const [index, name] of names.entries()) {
      const symbol = symbols[index] && this.#target(symbols[index]);
      if (symbol === undefined || (symbol.flags & SymbolFlags.TypeParameter) !== 0) continue;
      yield [symbol, name.getText()];
    }
  }

  #judge(name: string, comment: string): void {
    if (comment.split(/\s+/).length < 2) this.#faults.push(`${name} has no comment that says what it is`);
  }

  #target(symbol: Symbol): Symbol {
    return (symbol.flags & SymbolFlags.Alias) === 0 ? symbol : this.#project.checker.getAliasedSymbol(symbol);
  }

  #isOurs(path: string): boolean {
    const root = `${resolve(this.#root)}/`;
    return path.startsWith(root) && !path.slice(root.length).includes("node_modules/");
  }

  #shown(path: string): string {
    return path.replace(`${resolve(this.#root)}/`, "");
  }
}

function constantOf(type: string, file: SourceFile): string | undefined {
  const declarations = file.statements
    .filter(isVariableStatement)
    .flatMap(({ declarationList }) => [...declarationList.declarations]);
  return declarations.find((declaration) => declaration.type?.getText() === type)?.name.getText();
}

function kindOf(node: Node): Exported["kind"] {
  if (isFunctionDeclaration(node)) return "function";
  if (isClassDeclaration(node)) return "class";
  return isVariableDeclaration(node) ? "constant" : "type";
}
