/**
 * What `persist` loads by `import()`, to be imported beforehand: a service worker that is a module cannot call `import()`, and an app
 * of a single file has nothing to load. Pass `offline` to `connect`; the [guide](docs/guide/offline.md) has an example.
 */
import type { Offline } from "./persistence.ts";
import { keepRoom } from "./keep-room.ts";

export type { Offline } from "./persistence.ts";

/** Keeps rooms in IndexedDB: `connect(url, board, { persist: { userId }, offline })`. */
export const offline: Offline = keepRoom;

/** Deletes all that is kept of any room for the user with this id, as `clearPersisted` of `deltaroom/client` does. */
export { deleteDatabase as clearPersisted } from "./database.ts";
