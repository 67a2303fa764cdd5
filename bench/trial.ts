import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { freePort } from "../test/reliability/process/server-process.ts";
import { Stage } from "./load/stage.ts";
import { perform, type Work } from "./rows/index.ts";
import { Inspector } from "./servers/inspector.ts";
import { loadSystem, type SystemName } from "./systems/index.ts";

// One trial in a process of its own: one system, one row. It starts the server, is the load, and tells its parent.
//   node bench/trial.ts --system tldraw --work '{"kind":"kill","records":500,"seconds":3}'
// With --profile FILE, a CPU profile of the isolate is written there.

const { values } = parseArgs({
  options: {
    system: { type: "string", default: "deltaroom" },
    data: { type: "string", default: "/dev/shm" },
    work: { type: "string", default: "{}" },
    profile: { type: "string" },
  },
});

const work = JSON.parse(values.work) as Work;
const inspectorPort = await freePort();
// An isolate that is watched is slower, so only where it is asked something.
const isWatched = work.kind === "memory" || work.kind === "history" || values.profile !== undefined;
const system = await loadSystem(values.system as SystemName);
const stage = await Stage.set(system, values.data, isWatched ? inspectorPort : undefined);
const inspector = new Inspector(inspectorPort);
try {
  if (values.profile !== undefined) await inspector.startProfile();
  const figures = await perform(stage, work, inspector);
  if (values.profile !== undefined)
    await writeFile(values.profile, JSON.stringify(await inspector.stopProfile()));
  if (process.send) process.send(figures);
  else console.log(figures);
} catch (error) {
  if (stage.server.log !== "") console.error(stage.server.log);
  console.error(error);
  process.exitCode = 1;
} finally {
  await stage.close();
}
// What a client library still waits for is no reason to stay.
process.exit();
