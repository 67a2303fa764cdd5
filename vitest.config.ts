import { fileURLToPath } from "node:url";
import { cloudflareTest } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";
import { guideCode } from "./test/docs/guide-code.ts";

// Miniflare would otherwise ask the network for a `request.cf` at each start.
process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
process.env["WRANGLER_SEND_METRICS"] = "false";

/** Tests that need Node itself: they spawn a compiler, read files or listen on a port. */
const nodeTests = [
  "test/*.node.test.ts",
  "test/**/*.node.test.ts",
  "test/schema/declarations.test.ts",
  "test/docs/**/*.test.ts",
];
const domTests = ["test/{frameworks,react}/**/*.test.{ts,tsx}"];
const e2eTests = ["test/e2e/**/*.test.ts"];

function source(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

/** What an app imports of the package, for tests that run its code. */
const ownPackage = [
  { find: /^deltaroom$/, replacement: source("src/index.ts") },
  { find: "deltaroom/server", replacement: source("src/server.ts") },
  { find: "deltaroom/jwt", replacement: source("src/jwt.ts") },
  { find: "deltaroom/client/offline", replacement: source("client/offline/index.ts") },
  { find: "deltaroom/client/undo", replacement: source("client/undo/index.ts") },
  { find: "deltaroom/client", replacement: source("client/index.ts") },
  { find: "deltaroom/react", replacement: source("client/react/index.ts") },
];

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [
          guideCode(),
          cloudflareTest({ wrangler: { configPath: "./test/wrangler.toml" }, remoteBindings: false }),
        ],
        resolve: { alias: ownPackage },
        test: {
          name: "workers",
          setupFiles: ["./test/uncaught-timers.ts"],
          include: [
            "test/{attacks,client,demo,durable-object,model,protocol,room,schema,simulation,testing,worker}/**/*.test.{ts,tsx}",
          ],
          exclude: [...nodeTests, ...e2eTests],
          // A test that hangs fails; one that a busy machine slows down does not.
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: "node",
          include: nodeTests,
          exclude: e2eTests,
          testTimeout: 30_000,
        },
      },
      {
        // Components of React and others in a DOM, against rooms that the tests play.
        plugins: [guideCode()],
        resolve: {
          alias: [{ find: "cloudflare:test", replacement: source("test/react/workerd.ts") }, ...ownPackage],
          conditions: ["browser"],
        },
        test: {
          name: "dom",
          environment: "happy-dom",
          include: domTests,
          testTimeout: 30_000,
          // What they export to Node renders on a server, and never again.
          server: { deps: { inline: ["solid-js", "svelte"] } },
        },
      },
      {
        // Browsers against a real `wrangler dev`. Not part of `npm test`.
        test: {
          name: "e2e",
          include: e2eTests,
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
