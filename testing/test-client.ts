import { ClientRoom } from "../client/client-room.ts";
import type { RoomError } from "../client/errors.ts";
import type { Runtime } from "../client/platform.ts";
import type { Room } from "../client/room.ts";
import { undo } from "../client/undo/index.ts";
import type { AnyRoomDefinition } from "../src/schema/definition.ts";
import type { SimulatedClock } from "./clock.ts";
import { promptMs } from "./host.ts";
import type { Network, TestNetwork } from "./network.ts";

/** Of a client secret, in characters. These need not be random. */
const secretLength = 24;

/** A client of a test room. */
export interface TestClient<D extends AnyRoomDefinition> {
  /** What `connect` would give: the app's own code may have it. */
  readonly room: Room<D>;
  /** Its way to the room. */
  readonly network: TestNetwork;
}

/** One page load: the real client, over a network and in a time that are the test's. */
export class Guest {
  readonly name: string;
  readonly client: ClientRoom;
  readonly network: Network;
  readonly #clock: SimulatedClock;
  #timers = 0;
  /** Undefined until it is known. */
  #entry: "ready" | { readonly error: RoomError } | undefined;

  /** Throws `RejectedError` for a presence that does not fit. */
  constructor(
    definition: AnyRoomDefinition,
    clock: SimulatedClock,
    network: Network,
    name: string,
    presence: unknown,
  ) {
    this.name = name;
    this.#clock = clock;
    this.network = network;
    this.client = new ClientRoom({
      url: "ws://room.test",
      definition,
      secret: `secret-of-${name}`.padEnd(secretLength, "-"),
      transport: (_, protocols) => network.connect(protocols),
      runtime: this.#runtime(),
      token: undefined,
      onTraffic: undefined,
      presence,
      undo,
    });
    this.client.ready.then(
      () => (this.#entry = "ready"),
      (error: RoomError) => (this.#entry = { error }),
    );
  }

  /** As the app has it. */
  as<D extends AnyRoomDefinition>(): TestClient<D> {
    // The one seam between names that are only known at run time and the types of the definition.
    return Object.freeze({ room: this.client as unknown as Room<D>, network: this.network });
  }

  get entry(): "ready" | { readonly error: RoomError } | undefined {
    return this.#entry;
  }

  /** What it is waiting for that is on the way; undefined when nothing is. */
  get errand(): string | undefined {
    const { status, pending } = this.client;
    // What the test has broken is not waited for, nor who stays away by itself.
    if (!this.network.isSound || status === "closed" || this.#timers === 0) return undefined;
    if (status !== "online") return `${status}${this.#refusal}`;
    return pending > 0 ? `waiting for the answers to ${pending} calls` : undefined;
  }

  get #refusal(): string {
    const { refusedWith } = this.network;
    return refusedWith === undefined ? "" : `, refused with ${refusedWith}`;
  }

  #runtime(): Runtime {
    const { network } = this;
    return {
      now: () => this.#clock.now,
      startTimer: (run, delayMs) => this.#startTimer(run, delayMs),
      random: () => 0.5, // half of each backoff, and always the same
      onPage: ({ wake }) => {
        network.wake = wake;
        return () => void (network.wake = () => {});
      },
    };
  }

  #startTimer(run: () => void, delayMs: number): () => void {
    let isSet = true;
    const unset = () => {
      if (isSet) this.#timers -= 1;
      isSet = false;
    };
    this.#timers += 1;
    const cancel = this.#clock.after(
      delayMs,
      () => {
        unset();
        run();
      },
      // A message that is about to leave; heartbeats and attempts to connect are no work, but for what waits for them.
      () => delayMs <= promptMs && this.network.isSound,
    );
    return () => {
      unset();
      cancel();
    };
  }
}
