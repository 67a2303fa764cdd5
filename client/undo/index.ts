/**
 * Undo and redo, for the apps that have them: pass `undo` to `connect`, and the room has a `history`. The
 * [guide](docs/guide/undo.md) has an example.
 */
import { UndoHistory, type Undo } from "./undo-history.ts";

export type { ClientLimits } from "../client-limits.ts";
export type { Undo } from "./undo-history.ts";

/** Gives a room its `history`: `connect(url, board, { undo })`. */
export const undo: Undo = (limits, caller) => new UndoHistory(limits, caller);
