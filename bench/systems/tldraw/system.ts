import { createWorkerd } from "../../servers/workerd.ts";
import type { System } from "../system.ts";
import { TldrawJudge } from "./judge.ts";
import { TldrawPlayer } from "./player.ts";

const room = (url: string): string => `${url.replace("http", "ws")}/`;

export const tldraw: System = {
  title: "tldraw sync-core",
  runsOn: "durable object",
  storage: "durable",
  create: async (options) => await createWorkerd({ entry: new URL("worker.ts", import.meta.url) }, options),
  judge: (url) => new TldrawJudge(room(url)),
  player: async (url, options = {}) => await TldrawPlayer.open(room(url), options),
};
