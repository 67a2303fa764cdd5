import type { Caller, Outcome } from "../model/call.ts";
import type { Json } from "../schema/json.ts";
import { answerTo } from "./engine/client-log/client-log.ts";
import type { Flusher } from "./flusher.ts";
import { ownerOf } from "./owners/owner.ts";
import type { Recovery } from "./recovery.ts";
import type { RoomSessions } from "./room-sessions.ts";
import type { Journal } from "./storage/journal.ts";

/** What the call of a backend needs of the room. */
export interface BackendCallRoom {
  readonly now: () => number;
  readonly journal: Journal;
  readonly flusher: Pick<Flusher, "flush" | "settle">;
  readonly recovery: Pick<Recovery, "asNewest">;
  readonly sessions: Pick<RoomSessions, "admit">;
}

/**
 * Executes the only call of a client without a session, and returns its outcome once that is on disk. A backend that calls again
 * under the same key receives the same outcome.
 */
export function callFromBackend(
  { now, journal, flusher, recovery, sessions }: BackendCallRoom,
  client: Caller,
  type: string,
  payload: Json,
): Outcome {
  const user = sessions.admit(client.user);
  if (user === undefined)
    return { kind: "rejected", code: "invalid", message: "the user does not fit the room" };
  const owner = journal.roomState.clientLog.get(client.clientId)?.owner ?? ownerOf(user);
  if (owner !== ownerOf(user))
    return { kind: "rejected", code: "id-conflict", message: "another user has made this call" };
  const call = { clientReqId: 1, baseRev: journal.roomState.rev, type, payload };
  const calledAt = now();
  const submit = () => recovery.asNewest(() => journal.engine.submit({ ...client, user }, call, calledAt));
  let submission = submit();
  journal.engine.takeWork(); // a backend is not metered
  // The call that came first returned only after its flush, so its outcome is on disk: nothing has to be flushed for it.
  if (submission.kind === "duplicate") return submission.outcome;
  if (submission.kind === "full") {
    flusher.flush();
    submission = submit();
  }
  flusher.settle();
  const logged = journal.roomState.clientLog.get(client.clientId);
  const answer = logged && answerTo(logged, 1);
  if (answer === undefined) throw new Error(`call ${type} came to nothing: ${submission.kind}`);
  return answer[1];
}
