import type { PlainRecord, PlainState } from "../board.ts";
import { applyPlainly, type PlainChanges } from "./plain-state.ts";

/** A call that waits, as `calls` tells it. */
interface WaitingCall {
  readonly type: string;
  readonly payload: unknown;
}

/** What a client has to show: `base` with the calls that wait for their answer run on top, in order. */
export function predict(base: PlainState, calls: readonly WaitingCall[]): PlainState {
  if (calls.length === 0) return base;
  let view = new Map(base);
  for (const { type, payload } of calls) {
    if (type === "transact") {
      const edited = new Map(view);
      if (applyPlainly(edited, payload as PlainChanges) === undefined) view = edited;
    } else {
      predictCall(view, type, payload as { token: string; key: string; id: string });
    }
  }
  return view;
}

/** The board's mutators as they run in a client, written once more. One that fails there changes nothing. */
function predictCall(
  view: Map<string, PlainRecord>,
  type: string,
  { token, key, id }: { token: string; key: string; id: string },
): void {
  const shape = view.get(`shapes/${id}`);
  switch (type) {
    case "claim":
      if (shape === undefined) return;
      view.set(`shapes/${id}`, { ...shape, x: -1, by: token });
      break;
    case "lean":
      if (shape === undefined) return;
      view.set(`shapes/${id}`, { ...shape, label: token });
      break;
    case "clear":
      for (const name of view.keys()) if (name.startsWith("shapes/")) view.delete(name);
      break;
    case "decide":
      return;
    default:
      break;
  }
  const before = view.get(`tallies/${key}`)?.["tokens"];
  view.set(`tallies/${key}`, { tokens: before === undefined ? token : `${before as string} ${token}` });
}
