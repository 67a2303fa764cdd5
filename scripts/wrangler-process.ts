import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const manifestPath = createRequire(import.meta.url).resolve("wrangler/package.json");
const manifest = JSON.parse(readFileSync(manifestPath, "utf8")) as { bin: { wrangler: string } };

/** The pinned wrangler's entry, to be run by this Node: a `.bin` link is no JavaScript file on Windows. */
export const wranglerBin = resolve(manifestPath, "..", manifest.bin.wrangler);

/**
 * Without these, each start asks the network for something: a sample of `request.cf`, a place for usage reports
 * and error reports, and (to print the banner) the newest version of wrangler.
 */
export const wranglerEnv: NodeJS.ProcessEnv = {
  ...process.env,
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
};
