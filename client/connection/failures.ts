import { TokenBucket } from "../../src/model/token-bucket.ts";
import { RoomError } from "../errors.ts";
import type { Diagnosis } from "./diagnosis.ts";
import type { SyncOptions } from "./sync-options.ts";

/** Codes of which the diagnosis knows more than the room says. */
const diagnosed: ReadonlySet<string> = new Set(["unreachable", "unsupported", "forbidden", "invalid"]);

/** Errors that pass which the app is told at once, and how many a second from then on: a listener has to keep up with a broken room. */
const errorsBurst = 20;
const errorsPerSecond = 0.1;

/** Tells the app what went wrong and, where the client can find it out, why. */
export class Failures {
  readonly #options: SyncOptions;
  readonly #failed: (error: RoomError) => void;
  readonly #isOver: (willRetry: boolean) => boolean;
  readonly #bucket = new TokenBucket(errorsPerSecond, errorsBurst);

  /** `isOver`: whether the app needs no explanation any more that has taken its time. */
  constructor(
    options: SyncOptions,
    failed: (error: RoomError) => void,
    isOver: (willRetry: boolean) => boolean,
  ) {
    this.#options = options;
    this.#failed = failed;
    this.#isOver = isOver;
  }

  report(code: string, message: string, willRetry = true, cause?: unknown): void {
    if (willRetry && this.#bucket.take(this.#options.runtime.now()) > 0) return;
    this.#failed(new RoomError(code, message, willRetry, cause));
  }

  /** Reports a failure with what the diagnosis finds out of it. */
  explain(code: string, message: string, willRetry: boolean, cause: unknown): void {
    const { diagnose, url } = this.#options;
    const notify = (found?: Diagnosis) => {
      if (this.#isOver(willRetry)) return;
      this.report(code, found ? `${message}: ${found.hint}` : message, willRetry, found?.cause ?? cause);
    };
    if (diagnose === undefined || !diagnosed.has(code)) return notify();
    void diagnose(url, code, cause).then(notify, () => notify());
  }
}
