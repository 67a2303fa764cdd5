import type { Access } from "../../../src/schema/access.ts";
import { clientIdOf } from "../../../src/protocol/handshake/client-secret.ts";
import type { Introduction } from "../../../client/mutations/pending-queue.ts";
import type { KeptCall, KeptQueue } from "../../../client/offline/kept-calls.ts";
import type { KeptBase } from "../../../client/replica/replica.ts";

/** Somebody, in a browser: the pages of one person find what the others have left. */
export interface Person {
  readonly user: { readonly id: string; readonly name: string };
  readonly access: Access;
}

/** What is kept of one client id. */
export class KeptClient {
  readonly secret: string;
  readonly person: Person;
  /** The page that has its lock; undefined when that page is gone. */
  holder: object | undefined;
  introduction: Introduction | undefined;
  /** By `clientReqId`. */
  readonly calls = new Map<number, KeptCall>();

  constructor(secret: string, person: Person) {
    this.secret = secret;
    this.person = person;
  }

  get clientId(): string {
    return clientIdOf(this.secret);
  }

  /** As a page reads it that takes it over. */
  get queue(): KeptQueue {
    const calls = [...this.calls.values()].toSorted((a, b) => a.clientReqId - b.clientReqId);
    return { secret: this.secret, ...(this.introduction ?? { knownSince: null, attempt: 0 }), calls };
  }

  /** The id under which the call with this token is kept. */
  idOf(token: string): number | undefined {
    for (const [clientReqId, { payload }] of this.calls) if (tokenOf(payload) === token) return clientReqId;
    return undefined;
  }
}

/** What the browsers of all people keep, whichever of their pages live. */
export class BrowserStorage {
  readonly clients = new Map<string, KeptClient>();
  readonly #bases = new Map<Person, KeptBase>();

  /** Of a page that has just opened. */
  open(secret: string, person: Person): KeptClient {
    const client = new KeptClient(secret, person);
    this.clients.set(secret, client);
    return client;
  }

  heldBy(page: object): KeptClient[] {
    return [...this.clients.values()].filter(({ holder }) => holder === page);
  }

  /** What pages of this person have left that are gone. */
  leftOf(person: Person): KeptClient[] {
    return [...this.clients.values()].filter((client) => {
      return client.person === person && client.holder === undefined;
    });
  }

  /** Nothing is left of a client, or it is lost. */
  remove(client: KeptClient): void {
    client.calls.clear();
    this.clients.delete(client.secret);
  }

  baseOf(person: Person): KeptBase | undefined {
    return this.#bases.get(person);
  }

  keepBase(person: Person, base: KeptBase): void {
    this.#bases.set(person, base);
  }
}

/** The token of a mutator's call; undefined for a direct edit. */
export function tokenOf(payload: unknown): string | undefined {
  return (payload as { readonly token?: string } | null)?.token;
}
