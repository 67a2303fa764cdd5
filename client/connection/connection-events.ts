/** `connecting`: on the way. `online`: up to date. `offline`: will try again. `closed`: will not, unless told to. */
export type Status = "connecting" | "online" | "offline" | "closed";

export interface ConnectionEvents {
  /** The hello for the next attempt, as a subprotocol. It fails with the app's token; `isRefused` when the last was no good. */
  readonly hello: (isRefused: boolean) => Promise<string>;
  readonly message: (data: unknown) => void;
  readonly status: (status: Status) => void;
  /** The room, or the way to it, refused this client. */
  readonly refused: (code: string, willRetry: boolean, cause?: unknown) => void;
  /** Nothing is heard of the room: for now, or for ever. Called once an outage. */
  readonly unreachable: (isForEver: boolean, cause: unknown) => void;
  /** Whether something waits to be sent or answered. */
  readonly isBusy: () => boolean;
  /** The page is about to stop: what waits to be gathered has to be sent now. */
  readonly leaving: () => void;
  /** Whether something that was sent has waited too long for its answer. */
  readonly isStuck: (now: number) => boolean;
}
