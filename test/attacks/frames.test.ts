import { floodActions } from "./deeds/floods.ts";
import { frameActions } from "./deeds/frames.ts";
import { playAll } from "./play.ts";

playAll(["frame"], { ...frameActions, ...floodActions });
