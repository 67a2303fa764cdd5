import type { ResumeSnapshot } from "../../protocol/handshake/hello.ts";

/** The last thing that a client knows: a revision within an epoch. `epoch` is null before its first snapshot. */
export interface Position {
  readonly epoch: string | null;
  readonly rev: number;
}

/** Where a session is that is being sent a snapshot. */
export interface SnapshotProgress {
  /** Tag of the update that will end it. */
  readonly tag: number | undefined;
  /** Parts sent. */
  parts: number;
  /** The last range sent: its collection, and where it ended in it (null: at the end); undefined at the start. */
  cursor: { readonly collection: string; readonly untilId: string | null } | undefined;
  /** Revision of the oldest part sent: the delta that ends the snapshot begins there. */
  baseRev: number;
}

/**
 * What a session is sent. `joining`: its first catch-up, as soon as nothing is unflushed. `live`: every flush.
 * `behind`: nothing until it acknowledges, then a catch-up. `snapshot`: parts, as fast as it acknowledges them.
 */
export type Feed =
  | {
      readonly kind: "joining";
      readonly position: Position;
      readonly resumeSnapshot: ResumeSnapshot | undefined;
      /** Of the resync that asked for it; 0 for the hello when left out. */
      readonly tag?: number;
    }
  | { readonly kind: "live" }
  | { readonly kind: "behind"; readonly rev: number }
  | { readonly kind: "snapshot"; readonly progress: SnapshotProgress };

export const live: Feed = { kind: "live" };
