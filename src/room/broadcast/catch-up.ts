import type { Position } from "../sessions/feed.ts";
import type { EncodedDelta } from "../../protocol/encoding/delta.ts";

/** What the decision needs to know of the room. Every revision here is flushed. */
export interface CatchUpSource {
  readonly epoch: string;
  readonly rev: number;
  /** A delta from at or below `rev` to the room's revision, undefined when history does not reach back that far. */
  deltaSince(rev: number): EncodedDelta | undefined;
  /** Bytes of a snapshot sent now. */
  snapshotBytes(): number;
}

export type CatchUp =
  | { readonly kind: "current" }
  | { readonly kind: "delta"; readonly delta: EncodedDelta }
  | { readonly kind: "snapshot"; readonly reason: "other-epoch" | "ahead" | "history-too-short" | "cheaper" };

/**
 * How a client gets from where it is to where the room is, in the fewest bytes.
 * A client ahead of the room has seen a history that this room does not have, so only a snapshot is safe.
 */
export function chooseCatchUp(client: Position, room: CatchUpSource): CatchUp {
  if (client.epoch !== room.epoch) return { kind: "snapshot", reason: "other-epoch" };
  if (client.rev === room.rev) return { kind: "current" };
  if (client.rev > room.rev) return { kind: "snapshot", reason: "ahead" };
  const delta = room.deltaSince(client.rev);
  if (delta === undefined) return { kind: "snapshot", reason: "history-too-short" };
  if (delta.body.length > room.snapshotBytes()) return { kind: "snapshot", reason: "cheaper" };
  return { kind: "delta", delta };
}
