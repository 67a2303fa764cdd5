import { appDeeds } from "./deeds/app.ts";
import { callDeeds } from "./deeds/calls.ts";
import { listDeeds } from "./deeds/lists.ts";
import { playAll } from "./play.ts";

playAll(["call", "app"], { ...callDeeds, ...appDeeds, ...listDeeds });
