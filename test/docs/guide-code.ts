import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "svelte/compiler";
import type { Plugin } from "vitest/config";
import { stagesOf } from "./code-blocks.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const guide = join(root, "docs/guide");

/**
 * Lets tests import the code of a page: `virtual:guide/react/app.tsx` is the block `app.tsx` of docs/guide/react.md. Its blocks
 * import each other as files of one folder, and deltaroom from its sources.
 */
export function guideCode(): Plugin {
  return {
    name: "guide-code",
    enforce: "pre",
    resolveId(source, importer) {
      if (source.startsWith("virtual:guide/")) return join(guide, source.slice("virtual:guide/".length));
      // Vite asks again for what it has resolved, by the path from the root.
      const folder = source.startsWith("/") ? root : importer && dirname(importer);
      if (folder === undefined || !/^[./]/.test(source)) return undefined;
      const path = join(folder, source);
      return ["", ".ts", ".tsx"].map((ending) => path + ending).find((file) => codeOf(file) !== undefined);
    },
    load(id) {
      const code = codeOf(id);
      if (code === undefined || !id.endsWith(".svelte")) return code;
      return compile(code, { filename: id, generate: "client" }).js.code;
    },
  };
}

/** The text of a block, by the path that it would have beside its page; undefined for other files. */
function codeOf(path: string): string | undefined {
  const [page = "", ...file] = relative(guide, path).split("/");
  if (page === ".." || file.length === 0) return undefined;
  return stagesOf(`docs/guide/${page}.md`).at(-1)?.get(file.join("/"));
}
