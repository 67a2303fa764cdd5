import { withResolvers } from "../with-resolvers.ts";
import { newCancellation, type Locks } from "./browser-storage.ts";

/** Gives a lock back. */
export type Release = () => void;

/** Locks that all tabs of an origin share, each held by one of them. The platform gives back what a dead tab held. */
export class TabLocks {
  readonly #locks: Locks;
  readonly #prefix: string;
  readonly #stolen: (name: string) => void;
  readonly #ending = newCancellation();
  readonly #held = new Set<Release>();

  /** `prefix` of their names, which are the whole origin's. `stolen` is called when another script has taken a lock by force. */
  constructor(locks: Locks, prefix: string, stolen: (name: string) => void) {
    this.#locks = locks;
    this.#prefix = prefix;
    this.#stolen = stolen;
  }

  /** Takes a lock when nobody has it; undefined when somebody does. */
  async take(name: string): Promise<Release | undefined> {
    return await this.#request(name, { ifAvailable: true });
  }

  /** Takes a lock as soon as nobody else has it; undefined when the locks were closed before that. */
  async wait(name: string): Promise<Release | undefined> {
    if (this.#ending.signal.aborted) return undefined;
    try {
      return await this.#request(name, { signal: this.#ending.signal });
    } catch (error) {
      if (this.#ending.signal.aborted) return undefined;
      throw error;
    }
  }

  /** Gives all back and waits for none. */
  close(): void {
    this.#ending.abort();
    for (const release of this.#held) release();
  }

  #request(name: string, options: Parameters<Locks["request"]>[1]): Promise<Release | undefined> {
    const { promise, resolve, reject } = withResolvers<Release | undefined>();
    let held: Release | undefined;
    const hold = async (lock: object | null) => {
      if (lock === null) return resolve(undefined);
      const released = withResolvers<void>();
      const release = (held = () => {
        this.#held.delete(release);
        released.resolve();
      });
      this.#held.add(release);
      resolve(release);
      await released.promise;
    };
    this.#locks.request(`${this.#prefix}#${name}`, options, hold).catch((error: unknown) => {
      // A lock that was not given back and has come to an end was stolen.
      if (held !== undefined && this.#held.delete(held)) this.#stolen(name);
      else reject(error);
    });
    return promise;
  }
}
