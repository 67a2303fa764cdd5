import { RoomObject, type Authorize, type Operation } from "../../../src/server.ts";
import { attackBoard, reachable } from "./attack-board.ts";

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
  /** Whether a hook answers its own writes. */
  #isLooping = false;

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env);
    const own = { sum: 1, by: "a mutator" };
    reachable.set(ctx.id.name ?? "", {
      transact: () => this.transact((tx) => tx.ledger.put("own", own)),
      state: () => this.state.ledger.get("own"),
      broadcast: () => this.broadcast("wave", { text: "too early" }),
      renewEpoch: () => this.renewEpoch(),
      remoteCall: () =>
        this.remoteCall(
          JSON.stringify({ type: "book", payload: { id: "own", sum: 1 }, key: "k", user: null }),
        ),
      alarm: () => this.alarm(),
    });
  }

  /** With the bugs that a hook may have, as the payload of `take` says. */
  override onCommit({ clientId, payload }: Operation): void | Promise<void> {
    const { hook = "", text = "" } = (payload ?? {}) as { readonly hook?: string; readonly text?: string };
    if (hook === "throws") throw new Error(`a bug about ${text}`);
    if (hook === "is rejected") return Promise.reject(new Error(`a bug about ${text}`));
    this.#isLooping = hook === "loops" || (this.#isLooping && clientId === "room");
    if (this.#isLooping) this.transact((tx) => tx.ledger.put("hook", { sum: 1, by: "a hook" }));
    return undefined;
  }
}

/** A room that is soon full: of state, of sessions, of clients and outcomes to remember. */
export class TightRoom extends RoomObject(attackBoard, {
  limits: {
    quietCheckpointMs: 50,
    maxStateBytes: 20_000,
    maxStateWeight: 20_000,
    maxRingBytes: 2_000,
    maxRingFlushes: 8,
    maxSessions: 8,
    maxSessionsWithoutUser: 5,
    maxLoggedClients: 3,
    maxAllUnconfirmedBytes: 20_000,
  },
}) {
  readonly instance: string = crypto.randomUUID();
}
