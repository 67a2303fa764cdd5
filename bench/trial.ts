import { parseArgs } from "node:util";
import { Stage } from "./load/stage.ts";
import { perform, type Work } from "./rows/index.ts";
import { loadSystem, type SystemName } from "./systems/index.ts";

// One trial in a process of its own: one system, one row. It starts the server, is the load, and tells its parent.

const { values } = parseArgs({
  options: {
    system: { type: "string", default: "deltaroom" },
    data: { type: "string", default: "/dev/shm" },
    work: { type: "string", default: "{}" },
  },
});

const system = await loadSystem(values.system as SystemName);
const stage = await Stage.set(system, values.data);
try {
  const figures = await perform(stage, JSON.parse(values.work) as Work);
  if (process.send) process.send(figures);
  else console.log(figures);
} catch (error) {
  console.error(stage.server.log);
  throw error;
} finally {
  await stage.close();
}
// What a client library still waits for is no reason to stay.
process.exit(0);
