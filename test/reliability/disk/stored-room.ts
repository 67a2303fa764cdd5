import { DatabaseSync } from "node:sqlite";
import { defaultLimits } from "../../../src/room/limits.ts";
import { wake } from "../../../src/room/storage/room-state.ts";
import { Views } from "../../../src/room/visibility/view.ts";
import { journalSlots } from "../../../src/room/storage/journal.ts";
import { jsonSnapshot, shownState } from "../../../src/durable-object/json-snapshot.ts";
import { SqliteStorage } from "../../../src/durable-object/sqlite-storage.ts";
import { readDelta, type ReadDelta } from "../../support/frames/decoded-frames.ts";
import { readRowClients, type RowClient } from "../../support/frames/journal-rows.ts";
import { ledger, ledgerLimits, type LedgerJson } from "../rooms/ledger.ts";
import type { Outcome } from "../support/client-observations.ts";

/** A room as its database has it. */
export interface StoredRoom {
  readonly ledger: LedgerJson;
  /** Revision that the pages hold. */
  readonly checkpointRev: number;
  /** By client id: its newest executed call, which outcomes it has, and all others. */
  readonly clientLog: ReadonlyMap<string, StoredClient>;
}

export interface StoredClient {
  lastCallId: number;
  confirmed: number;
  readonly outcomes: Map<number, Outcome>;
}

type StoredOutcome = { readonly kind: string; readonly rev?: number };

/** Opens a database as SQLite does after a crash. */
export function openDatabase<T>(path: string, read: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(path);
  try {
    return read(database);
  } finally {
    database.close();
  }
}

/** Throws when SQLite finds the file damaged, used or not. */
export function assertIntact(database: DatabaseSync): void {
  const [row] = database.prepare("PRAGMA integrity_check").all();
  if (row?.["integrity_check"] !== "ok")
    throw new Error(`the database is damaged: ${String(row?.["integrity_check"])}`);
}

const everything = new Views(ledger).of({ user: null, role: "" });

/** Wakes the room with the product's own code. Returns what it remembers of `clientIds`; it must have no others. */
export function wakeRoom(database: DatabaseSync, clientIds: Iterable<string>): StoredRoom {
  const limits = { ...defaultLimits, ...ledgerLimits };
  const storage = new SqliteStorage(durableObjectStorage(database), journalSlots(limits));
  const memory = wake(storage, limits, () => "never-stored");
  const flushed = { ...memory, bytes: memory.pages.bytes };
  const json = [...jsonSnapshot(shownState(flushed, Object.keys(ledger.collections), everything))].join("");
  const clientLog = new Map<string, StoredClient>();
  for (const clientId of clientIds) {
    const known = memory.clientLog.get(clientId);
    if (known === undefined) continue;
    const outcomes = new Map(known.answers.map(([id, outcome]) => [id, wireOutcome(outcome)]));
    clientLog.set(clientId, { lastCallId: known.lastCallId, confirmed: known.confirmed, outcomes });
  }
  if (clientLog.size !== memory.clientLog.size)
    throw new Error(`the room remembers ${memory.clientLog.size} clients, not ${clientLog.size}`);
  return { ledger: JSON.parse(json) as LedgerJson, checkpointRev: memory.checkpointRev, clientLog };
}

/** Reads the tables with nothing of the product's code: pages and client logs of the checkpoint, and the journal above it. */
export function readTables(database: DatabaseSync): StoredRoom {
  const [room] = database.prepare("SELECT epoch, flushSeq, rev FROM deltaroom_room").all() as {
    epoch: string;
    flushSeq: number;
    rev: number;
  }[];
  if (room === undefined) throw new Error("the room has no row");
  const collections: { [name: string]: { [id: string]: object } } = { entries: {}, totals: {}, texts: {} };
  for (const page of database.prepare("SELECT collection, records FROM deltaroom_page").all()) {
    const [ids, , records] = JSON.parse(String(page["records"])) as [string[], number[], object[]];
    const byId = Object.fromEntries(ids.map((id, index) => [id, records[index]]));
    Object.assign((collections[String(page["collection"])] ??= {}), byId);
  }
  const clientLog = new Map<string, StoredClient>();
  for (const row of database
    .prepare("SELECT clientId, lastCallId, confirmed, outcomes FROM deltaroom_client")
    .all()) {
    const outcomes = JSON.parse(String(row["outcomes"])) as (readonly [number, StoredOutcome])[];
    const wire = outcomes.map(([id, outcome]) => [id, wireOutcome(outcome)] as const);
    const client = {
      lastCallId: Number(row["lastCallId"]),
      confirmed: Number(row["confirmed"]),
      outcomes: new Map(wire),
    };
    clientLog.set(String(row["clientId"]), client);
  }
  let { flushSeq, rev } = room;
  const journal = database.prepare(
    `SELECT flushSeq, "from", "to", body, clientLog FROM deltaroom_journal WHERE flushSeq > ? ORDER BY flushSeq`,
  );
  for (const row of journal.all(flushSeq)) {
    const next = Number(row["flushSeq"]);
    const from = Number(row["from"]);
    if (next !== flushSeq + 1 || from !== rev)
      throw new Error(`flush ${flushSeq} at ${rev} is followed by ${next} from ${from}`);
    applyDelta(collections, readDelta(row["body"] as Uint8Array));
    for (const logged of readRowClients(String(row["clientLog"])).clientLog) addOutcomes(clientLog, logged);
    flushSeq = next;
    rev = Number(row["to"]);
  }
  const found: unknown = { epoch: room.epoch, rev, collections };
  return { ledger: found as LedgerJson, checkpointRev: room.rev, clientLog };
}

function applyDelta(
  collections: { [name: string]: { [id: string]: object } },
  { partitions }: ReadDelta,
): void {
  for (const [name, entries] of partitions) {
    const records = (collections[name] ??= {});
    for (const entry of entries) {
      if (entry[0] !== "put") throw new Error(`the ledger knows no ${entry[0]}`);
      records[entry[2]] = entry[3];
    }
  }
}

function addOutcomes(
  clientLog: Map<string, StoredClient>,
  { clientId, confirmed, answers }: RowClient,
): void {
  const known = clientLog.get(clientId) ?? { lastCallId: 0, confirmed: 0, outcomes: new Map() };
  clientLog.set(clientId, known);
  for (const [id, outcome] of answers) {
    known.lastCallId = id;
    known.outcomes.set(id, typeof outcome === "number" ? outcome : wireOutcome(outcome));
  }
  known.confirmed = Math.max(known.confirmed, confirmed);
  for (const id of known.outcomes.keys()) if (id <= known.confirmed) known.outcomes.delete(id);
}

function wireOutcome(outcome: StoredOutcome): Outcome {
  const { kind: _, ...result } = outcome;
  return result.rev ?? (result as Outcome);
}

/** As much of an object's storage as waking takes. */
function durableObjectStorage(database: DatabaseSync): DurableObjectStorage {
  const exec = (query: string, ...bindings: never[]): unknown => {
    const rows = database.prepare(query).all(...bindings);
    return Object.assign(rows, { toArray: () => rows, rowsWritten: 0 });
  };
  const transactionSync = (): never => {
    throw new Error("nothing is written here");
  };
  return { sql: { exec }, transactionSync } as DurableObjectStorage;
}
