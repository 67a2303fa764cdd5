import type { Limits } from "../../../src/room/limits.ts";
import { createWorkerd } from "../../servers/workerd.ts";
import type { System } from "../system.ts";
import { DeltaroomJudge } from "./judge.ts";
import { DeltaroomPlayer } from "./player.ts";

/** What keeps one careless client from the others would keep the load from the room. */
const liftedLimits: Partial<Limits> = {
  callsPerSecond: 1_000_000,
  callsBurst: 1_000_000,
  maxSessions: 2_000,
  maxStateBytes: 64 * 2 ** 20,
};

export function deltaroom(title: string, limits: Partial<Limits> = {}): System {
  return {
    title,
    runsOn: "durable object",
    storage: "durable",
    create: async (options) => {
      const define = { LIMITS: { ...liftedLimits, ...limits } };
      return await createWorkerd({ entry: new URL("worker.ts", import.meta.url), define }, options);
    },
    judge: (url) => new DeltaroomJudge(`${url}/rooms/bench`),
    player: async (url, options = {}) =>
      await DeltaroomPlayer.open(`${url.replace("http", "ws")}/rooms/bench`, options),
  };
}
