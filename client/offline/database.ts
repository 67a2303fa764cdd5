import { deleteDB, openDB, type DBSchema, type IDBPDatabase } from "idb";
import type { Introduction, KeptCall } from "../pending-queue.ts";

/** What is kept of a room's base beside its pages. */
export interface BaseRow {
  readonly epoch: string;
  readonly rev: number;
  /** The definition's version: another's records are not shown. */
  readonly schema: number;
}

interface Tables extends DBSchema {
  /** By the room's URL. */
  bases: { key: string; value: BaseRow };
  /** By room, collection and number; the text of `PageRecords`. */
  pages: { key: [room: string, collection: string, page: number]; value: string };
  /** By room and client secret. */
  clients: { key: [room: string, secret: string]; value: Introduction };
  /** By room, client secret and `clientReqId`: one row a call. */
  calls: { key: [room: string, secret: string, clientReqId: number]; value: KeptCall };
}

export type Database = IDBPDatabase<Tables>;

const tables = ["bases", "pages", "clients", "calls"] as const;

declare const IDBKeyRange: { bound(lower: unknown, upper: unknown): unknown };

/** Every key that begins with `key`. */
export function under(...key: string[]): never {
  // An array sorts behind all numbers and strings. The library asks for the DOM's type, which is not known here.
  return IDBKeyRange.bound(key, [...key, []]) as never;
}

/** One database a user, so that nobody finds what somebody else has left. */
function nameOf(user: string): string {
  return `deltaroom:${user}`;
}

/** Opens what is kept for a user. Rejects where that is forbidden. */
export async function openDatabase(user: string): Promise<Database> {
  const database = await openDB<Tables>(nameOf(user), 1, {
    upgrade(fresh) {
      for (const table of tables) fresh.createObjectStore(table);
    },
    // Somebody forgets this user: what follows is not kept.
    blocking: () => database.close(),
  });
  return database;
}

/** Deletes everything that is kept for a user. */
export async function deleteDatabase(user: string): Promise<void> {
  await deleteDB(nameOf(user));
}
