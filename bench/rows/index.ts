import type { Stage } from "../load/stage.ts";
import type { Figures } from "../results.ts";
import type { Inspector } from "../servers/inspector.ts";
import { bill, type BillRow } from "./bill.ts";
import { catchUp, type CatchUp } from "./catch-up.ts";
import { drag, type Drag } from "./drag.ts";
import { history, type History } from "./history.ts";
import { join, type Join } from "./join.ts";
import { kill, type Kill } from "./kill.ts";
import { memory, type Memory } from "./memory.ts";
import { storm, type Storm } from "./storm.ts";
import { throughput, type Throughput } from "./throughput.ts";
import { wake, type Wake } from "./wake.ts";

/** What a trial is to do. */
export type Work = Drag | Throughput | Join | Storm | CatchUp | Kill | Wake | Memory | History | BillRow;

export async function perform(stage: Stage, work: Work, inspector: Inspector): Promise<Figures> {
  switch (work.kind) {
    case "drag":
      return await drag(stage, work);
    case "throughput":
      return await throughput(stage, work);
    case "join":
      return await join(stage, work);
    case "storm":
      return await storm(stage, work);
    case "catch-up":
      return await catchUp(stage, work);
    case "kill":
      return await kill(stage, work);
    case "wake":
      return await wake(stage, work);
    case "memory":
      return await memory(stage, inspector, work);
    case "history":
      return await history(stage, inspector, work);
    case "bill":
      return await bill(stage, work);
    default:
      return work satisfies never;
  }
}
