import { floodDeeds } from "./deeds/floods.ts";
import { frameDeeds } from "./deeds/frames.ts";
import { playAll } from "./play.ts";

playAll(["frame"], { ...frameDeeds, ...floodDeeds });
