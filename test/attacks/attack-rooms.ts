import { RoomObject, type Authorize } from "../../src/server.ts";
import { attackBoard } from "./attack-board.ts";

/** A rule with the bugs that a rule may have, by the id of what is changed. */
const authorize: Authorize = ({ changes }) => {
  const ids = changes.map(({ id }) => id);
  if (ids.includes("proxy"))
    throw new Proxy(
      {},
      {
        getPrototypeOf: () => {
          throw new Error("a trap");
        },
      },
    );
  if (ids.includes("riddle")) throw new Error(`a bug about ${ids.join()}`);
  // What a rule in JavaScript may answer: true by no more than its looks.
  if (ids.includes("promise")) return Promise.resolve(true) as unknown as boolean;
  if (ids.includes("truthy")) return "yes" as unknown as boolean;
  return true;
};

/**
 * A room with the limits of every day, that can be told from another instance of itself. Only who is refused again and again is not
 * sent away, so that one client can try what there is.
 */
export class AttackRoom extends RoomObject(attackBoard, {
  authorize,
  limits: { quietCheckpointMs: 50, refusalsBurst: 100_000 },
}) {
  readonly instance: string = crypto.randomUUID();
}

/** A room that is soon full: of state, of sessions, of clients to remember. */
export class TightRoom extends RoomObject(attackBoard, {
  limits: {
    quietCheckpointMs: 50,
    maxStateBytes: 20_000,
    maxRingBytes: 2_000,
    maxRingFlushes: 8,
    maxSessions: 6,
    maxMarks: 3,
  },
}) {
  readonly instance: string = crypto.randomUUID();
}
