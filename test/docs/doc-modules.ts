import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";
import type { Plugin } from "vitest/config";
import { stagesOf } from "./code-blocks.ts";

const prefix = "docs:";
const packages: { readonly [name: string]: string } = {
  deltaroom: "src/index.ts",
  "deltaroom/client": "client/index.ts",
  "deltaroom/server": "src/server.ts",
};

/**
 * Makes modules of the code blocks of pages, for a test to run what a reader is shown: `docs:guide/presence.md/cursors.ts`. A page
 * that shows no `board.ts` of its own is about that of the guide.
 */
export function docModules(): Plugin {
  return {
    name: "deltaroom-doc-modules",
    enforce: "pre",
    resolveId(id, importer = "") {
      if (id.startsWith(prefix)) return `\0${id}`;
      if (!importer.startsWith(`\0${prefix}`)) return undefined;
      const path = packages[id];
      if (path !== undefined) return fileURLToPath(new URL(`../../${path}`, import.meta.url));
      return id.startsWith("./")
        ? `${importer.slice(0, importer.lastIndexOf("/"))}/${id.slice(2)}.ts`
        : undefined;
    },
    load(id) {
      if (!id.startsWith(`\0${prefix}`)) return undefined;
      const [, page = "", file = ""] = /:(.*)\/([^/]+)$/.exec(id) ?? [];
      const block = [page, "GUIDE.md"].map((name) => stagesOf(`docs/${name}`)[0]?.get(file)).find(Boolean);
      if (block === undefined) throw new Error(`docs/${page} has no ${file}`);
      return transformSync(block, { loader: "ts", target: "es2024" }).code;
    },
  };
}
