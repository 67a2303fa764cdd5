import { readFileSync } from "node:fs";

/** TCP connections that a server on 127.0.0.1 has. */
export interface OpenSockets {
  readonly established: number;
  /** The other end is gone, and the server has not closed its own. */
  readonly abandoned: number;
}

const establishedState = "01";
const closeWaitState = "08";

/** Counts the connections to `port` that the kernel lists for the process. */
export function countSockets(pid: number, port: number): OpenSockets {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const states = readFileSync(`/proc/${pid}/net/tcp`, "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, address]) => address === local)
    .map(([, , , state]) => state);
  return {
    established: states.filter((state) => state === establishedState).length,
    abandoned: states.filter((state) => state === closeWaitState).length,
  };
}
