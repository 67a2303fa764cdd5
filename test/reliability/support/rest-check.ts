import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { differences, openBoard, readBoard, type BoardRoom } from "../clients/board-client.ts";
import type { Crowd } from "../clients/crowd.ts";
import type { Exchange } from "../clients/tcp-proxy.ts";
import type { Findings } from "./findings.ts";
import { collectGarbage } from "../process/garbage.ts";
import type { Guest } from "../clients/soak-client.ts";
import { countSockets } from "../process/open-sockets.ts";
import { comesTrue } from "./wait-until.ts";
import type { Workerd } from "../process/workerd.ts";

const timeoutMs = 20_000;
/** Of JSON: guests have 300 records, and what they write into one is short. */
const maxStateBytes = 200_000;
/** Left by clients who have only just gone: their sockets' last timers. */
const maxDeparting = 10;
const collectionAttempts = 10;
const collectionIntervalMs = 1_000;

/** Compares what the room, its sockets and everybody in it have, once nobody does anything any more. */
export class RestCheck {
  readonly #server: Workerd;
  readonly #exchange: Exchange;
  readonly #url: string;
  readonly #findings: Findings;

  /** `url`: the room's, by the exchange. */
  constructor(server: Workerd, exchange: Exchange, url: string, findings: Findings) {
    this.#server = server;
    this.#exchange = exchange;
    this.#url = url;
    this.#findings = findings;
  }

  async check(crowd: Crowd): Promise<void> {
    const isSettled = await crowd.settle();
    const { guests } = crowd;
    const unsettled = guests.filter((guest) => !guest.isSettled).map(({ room }) => room);
    const how = unsettled.map(({ status, pending }) => `${status} with ${pending} calls`).join(", ");
    this.#findings.check(isSettled, `${unsettled.length} clients do not come to rest: ${how}`);
    await this.#checkState(guests);
    await this.#checkPresence(guests);
    await this.#checkSockets(guests.length);
    await this.#checkDeparted(crowd);
  }

  /** After everybody has gone: no socket, nobody in the room. */
  async checkDeserted(crowd: Crowd): Promise<void> {
    await this.#checkSockets(0);
    await this.#checkPresence([]);
    await this.#checkDeparted(crowd);
  }

  async #checkState(guests: readonly Guest[]): Promise<void> {
    const truth = await readBoard(this.#url);
    const bytes = JSON.stringify(truth.collections).length;
    this.#findings.check(
      bytes <= maxStateBytes,
      `the state has ${bytes} bytes, more than its records may hold`,
    );
    await comesTrue(() => guests.every(({ room }) => room.rev === truth.rev), timeoutMs);
    const astray = guests.filter(({ room }) => room.rev !== truth.rev || differences(room, truth).length > 0);
    this.#findings.check(
      astray.length === 0,
      `${astray.length} clients differ from GET at revision ${truth.rev}`,
    );
  }

  /** A newcomer is shown exactly those who are there, each as they show themselves; and so is everybody else. */
  async #checkPresence(guests: readonly Guest[]): Promise<void> {
    const presences = new Map(guests.map(({ room }) => [room.self.clientId, room.self.presence]));
    const newcomer = openBoard(this.#url, {});
    await newcomer.ready;
    const areRight = () =>
      [newcomer, ...guests.map(({ room }) => room)].every((room) => sees(room, presences));
    await comesTrue(areRight, timeoutMs);
    const ghosts = newcomer.others.filter(({ clientId }) => !presences.has(clientId)).length;
    const missing = presences.size - (newcomer.others.length - ghosts);
    this.#findings.check(
      sees(newcomer, presences),
      `a newcomer sees ${ghosts} ghosts and misses ${missing} of ${presences.size} people, or sees them as they were`,
    );
    const mistaken = guests.filter(({ room }) => !sees(room, presences)).length;
    this.#findings.check(mistaken === 0, `${mistaken} clients see others than those who are there`);
    newcomer.close();
  }

  /** The runtime has the connections of `clients`, and no others. */
  async #checkSockets(clients: number): Promise<void> {
    const port = Number(new URL(this.#server.url).port);
    const count = () => countSockets(this.#server.pid, port);
    await comesTrue(() => {
      const { established, abandoned } = count();
      return established === clients && abandoned === 0 && this.#exchange.lines.length === clients;
    }, timeoutMs);
    const { established, abandoned } = count();
    this.#findings.check(
      established === clients && abandoned === 0,
      `the runtime has ${established} connections and ${abandoned} that it should have closed, for ${clients} clients`,
    );
  }

  /** Nothing in a client holds on to its room once that was closed. */
  async #checkDeparted(crowd: Crowd): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      collectGarbage();
      const held = crowd.countHeld();
      if (held > maxDeparting && attempt < collectionAttempts) await sleep(collectionIntervalMs);
      else
        return this.#findings.check(
          held <= maxDeparting,
          `${held} rooms that were closed are still in memory`,
        );
    }
  }
}

function sees({ others, self }: BoardRoom, presences: ReadonlyMap<string, unknown>): boolean {
  const expected = presences.size - (presences.has(self.clientId) ? 1 : 0);
  return (
    others.length === expected &&
    others.every(({ clientId, presence }) => isDeepStrictEqual(presence, presences.get(clientId)))
  );
}
