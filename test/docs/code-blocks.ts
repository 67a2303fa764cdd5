import { readFileSync } from "node:fs";

const repo = new URL("../../", import.meta.url);

/** File name → text: what a reader has in a folder at some point of a page. */
export type Files = ReadonlyMap<string, string>;

/**
 * The named code blocks of a page (```` ```ts board.ts ````), as a reader would save them. A file that is shown again replaces
 * the one before, and a new stage begins there.
 */
export function stagesOf(page: string): Files[] {
  const stages: Map<string, string>[] = [new Map()];
  for (const [, name = "", text = ""] of readFileSync(new URL(page, repo), "utf8").matchAll(
    /^```\w+ (\S+)\n([\s\S]*?)^```$/gm,
  )) {
    const stage = stages.at(-1) as Map<string, string>;
    if (stage.has(name)) stages.push(new Map(stage).set(name, text));
    else stage.set(name, text);
  }
  return stages;
}
