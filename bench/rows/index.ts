import type { Stage } from "../load/stage.ts";
import type { Figures } from "../results.ts";
import { drag, type Drag } from "./drag.ts";

/** The work of a trial. */
export type Work = Drag;

export async function perform(stage: Stage, work: Work): Promise<Figures> {
  switch (work.kind) {
    case "drag":
      return await drag(stage, work);
  }
}
