/** Writes the table of attacks into docs/SECURITY.md: `npm run docs:attacks`. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { attacks } from "../test/attacks/attacks.ts";
import { withTable } from "../test/attacks/table.ts";

const page = fileURLToPath(new URL("../docs/SECURITY.md", import.meta.url));
writeFileSync(page, withTable(readFileSync(page, "utf8"), attacks));
