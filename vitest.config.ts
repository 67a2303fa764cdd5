import { cloudflareTest } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";

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
const e2eTests = ["test/e2e/**/*.test.ts"];

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [
          cloudflareTest({ wrangler: { configPath: "./test/wrangler.toml" }, remoteBindings: false }),
        ],
        test: {
          name: "workers",
          setupFiles: ["./test/uncaught-timers.ts"],
          include: ["test/{client,core,protocol,room,schema,simulation,testing,worker}/**/*.test.{ts,tsx}"],
          exclude: [...nodeTests, ...e2eTests],
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
