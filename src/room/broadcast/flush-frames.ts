import type { Checksums } from "../../model/checksum.ts";
import { decodeDelta, encodeDelta, type EncodedDelta, type Entries } from "../../protocol/encoding/delta.ts";
import type { PagedState } from "../storage/paged-state.ts";
import { collected, type View } from "../visibility/view.ts";
import { encodeShared, encodeUpdate, type SharedParts } from "../../protocol/down/update.ts";

/** What a flush tells all who are shown the same. */
export interface SharedUpdate {
  /** To be put behind a head of a session's own. */
  readonly shared: Uint8Array;
  /** The same as a frame, for those of whom there is nothing more to say. */
  readonly frame: Uint8Array;
}

/** What a flush tells: one text for all, and in a room that does not show everybody everything, one for each thing to be seen. */
export class FlushFrames {
  readonly #delta: EncodedDelta | undefined;
  /** Given when checksums are to go along. */
  readonly #state: PagedState | undefined;
  readonly #ephemeral: Pick<SharedParts, "presence" | "events">;
  #whole: SharedUpdate | undefined;
  #entries: Entries | undefined;
  /** By the partitions of the delta that it holds. Checksums are each view's own, so with them nothing is shared. */
  readonly #parts = new Map<string, SharedUpdate>();

  constructor(
    delta: EncodedDelta | undefined,
    state: PagedState | undefined,
    ephemeral: Pick<SharedParts, "presence" | "events">,
  ) {
    this.#delta = delta;
    this.#state = state;
    this.#ephemeral = ephemeral;
  }

  get isEmpty(): boolean {
    const { presence, events } = this.#ephemeral;
    return this.#delta === undefined && presence === undefined && events === undefined;
  }

  of(view: View): SharedUpdate {
    if (view.seesEverything) return (this.#whole ??= this.#tell(this.#delta?.body, view));
    if (this.#delta === undefined) return this.#part("", undefined, view);
    const { from, to, body } = this.#delta;
    const entries = (this.#entries ??= decodeDelta(body).entries);
    const partitions = view.partitions(entries.keys());
    return this.#part(
      JSON.stringify(partitions),
      () => encodeDelta(from, to, collected(entries, partitions)).body,
      view,
    );
  }

  #part(key: string, delta: (() => Uint8Array) | undefined, view: View): SharedUpdate {
    if (this.#state !== undefined) return this.#tell(delta?.(), view);
    let told = this.#parts.get(key);
    if (told === undefined) this.#parts.set(key, (told = this.#tell(delta?.(), view)));
    return told;
  }

  #tell(delta: Uint8Array | undefined, view: View): SharedUpdate {
    const checksums = this.#state && readableChecksums(view, this.#state);
    const shared = encodeShared({ delta, checksums, ...this.#ephemeral });
    return { shared, frame: encodeUpdate({}, shared) };
  }
}

/** To add up what is somebody's own may be to read it, and a flush is told whether that can be read or not. */
function readableChecksums(view: View, state: PagedState): Checksums | undefined {
  try {
    return view.checksums(state);
  } catch {
    return undefined; // whoever needs the page will meet the error, where it can be answered
  }
}
