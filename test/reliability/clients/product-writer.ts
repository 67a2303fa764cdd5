import { connect } from "../../../client/index.ts";
import type { Chance } from "../support/seeded-random.ts";
import { inventCall } from "../rooms/ledger-call.ts";
import { ledger } from "../rooms/ledger.ts";
import type { ClientObservations } from "../support/client-observations.ts";

const callIntervalMs = 10;
const maxPending = 64;

/** An app on the product's own client. It makes calls, connected or not, and leaves everything else to `connect`. */
export class ProductWriter {
  readonly name: string;
  readonly names: string[] = [];
  isWriting = true;
  readonly #room;
  readonly #chance: Chance;
  readonly #observations: ClientObservations;
  readonly #calling: NodeJS.Timeout;
  #isReady = false;

  constructor(url: string, name: string, chance: Chance, observations: ClientObservations) {
    this.name = name;
    this.#chance = chance;
    this.#observations = observations;
    this.#room = connect(url, ledger);
    this.#room.on("reject", () => {}); // `committed` tells as much
    this.#room.on("error", ({ code, message }) =>
      observations.accuse("altered", `${name} was told ${code}: ${message}`),
    );
    void this.#room.ready.then(() => (this.#isReady = true));
    this.#calling = setInterval(() => this.#call(), callIntervalMs);
  }

  get unanswered(): number {
    return this.#room.pending;
  }

  get rev(): number {
    return this.#room.rev;
  }

  get collections(): unknown {
    const { entries, totals, texts } = this.#room.state;
    return Object.fromEntries(
      Object.entries({ entries, totals, texts }).map(([name, records]) => [
        name,
        Object.fromEntries(records.entries()),
      ]),
    );
  }

  connect(): void {
    this.#room.reconnect();
  }

  /** Stays away until `connect`. */
  disconnect(): void {
    this.#room.disconnect();
  }

  /** Resolves once it has noticed that the server is gone, and has told all that it saw without its own unanswered calls. */
  async gone(): Promise<void> {
    const room = this.#room;
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = room.on("status", (status) => status === "offline" && resolve());
    if (room.status !== "offline") await promise;
    stop();
    room.disconnect();
    this.#observations.hearRev(room.rev);
    for (const [name, entry] of room.state.entries.entries()) {
      if (!room.isPending("entries", name)) this.#observations.hearEntry(name, entry);
    }
  }

  close(): void {
    clearInterval(this.#calling);
    this.#room.close();
  }

  #call(): void {
    const room = this.#room;
    if (!this.isWriting || !this.#isReady || room.pending >= maxPending) return;
    const { type, payload } = inventCall(this.name, this.names.length + 1, this.#chance);
    const { entry } = payload;
    this.names.push(entry);
    const call = type === "append" ? room.mutate.append(payload) : room.mutate.refuse(payload);
    call.committed.then(
      ({ rev }) => this.#observations.hearOutcome(entry, rev),
      ({ code, message, data }: { code: string; message: string; data: unknown }) =>
        this.#observations.hearOutcome(entry, { code, message, data }),
    );
  }
}
