import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
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
    async load(id) {
      const code = codeOf(id);
      if (code === undefined || !id.endsWith(".svelte")) return code;
      const { compile } = await import("svelte/compiler");
      return compile(code, { filename: id, generate: "client" }).js.code;
    },
  };
}

/** The text of a block, by the path that it would have beside its page; undefined for other files. */
function codeOf(path: string): string | undefined {
  const [page = "", ...names] = relative(guide, path).split("/");
  if (page === ".." || names.length === 0) return undefined;
  const file = names.join("/");
  const own = stagesOf(`docs/guide/${page}.md`).at(-1)?.get(file);
  // A page that shows no room of its own is about that of the guide.
  return own ?? (file === "board.ts" ? stagesOf("docs/GUIDE.md").at(-1)?.get(file) : undefined);
}
