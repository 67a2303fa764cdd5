import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");

/** Frees whatever nothing holds in this process, so that what is left says something. */
export const collectGarbage = runInNewContext("gc") as () => void;
