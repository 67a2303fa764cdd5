import { appActions } from "./actions/app.ts";
import { callActions } from "./actions/calls.ts";
import { listActions } from "./actions/lists.ts";
import { playAll } from "./play.ts";

playAll(["call", "app"], { ...callActions, ...appActions, ...listActions });
