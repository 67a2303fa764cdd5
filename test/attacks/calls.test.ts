import { appActions } from "./deeds/app.ts";
import { callActions } from "./deeds/calls.ts";
import { listActions } from "./deeds/lists.ts";
import { playAll } from "./play.ts";

playAll(["call", "app"], { ...callActions, ...appActions, ...listActions });
