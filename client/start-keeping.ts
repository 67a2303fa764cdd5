import type { Persist, Persistence, RoomParts } from "./offline/persistence.ts";
import { withResolvers } from "./with-resolvers.ts";

/** What is kept has to be read by then, or the room is opened without it. */
const restoreTimeoutMs = 5_000;

/**
 * Has `persist` keep a room, and calls `keptBy` with what does it. Resolves when what is kept is there, or the room is to be opened
 * without it. All else that a kept room needs is loaded with `persist`.
 */
export async function startKeeping(
  persist: Persist,
  parts: RoomParts,
  keptBy: (persistence: Persistence) => void,
): Promise<void> {
  const late = withResolvers<void>();
  const stopWaiting = parts.runtime.startTimer(late.resolve, restoreTimeoutMs);
  // What is kept changes a room that is whole.
  const kept = Promise.resolve()
    .then(async () => await persist(parts))
    .then(keptBy)
    .catch((error: unknown) => parts.fail(String(error)));
  await Promise.race([kept, late.promise]);
  stopWaiting();
}
