import { floodActions } from "./actions/floods.ts";
import { frameActions } from "./actions/frames.ts";
import { playAll } from "./play.ts";

playAll(["frame"], { ...frameActions, ...floodActions });
