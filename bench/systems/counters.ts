/**
 * Counts what the platform bills, whoever asks for it: it puts itself before the storage of every object of the isolate.
 * A Worker answers with {@link answerBench} before anything else.
 */
export interface Counters {
  /** Rows of SQL, entries of the key-value storage and alarms. */
  rowsWritten: number;
  rowsRead: number;
  /** Alarms that were set, each of which comes once. */
  alarms: number;
  /** Times that an object was made, at first or out of hibernation. */
  objects: number;
}

const counters: Counters = { rowsWritten: 0, rowsRead: 0, alarms: 0, objects: 0 };
/** A cursor knows only once it was read what that took. */
let open: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
const maxOpen = 64;

let isWatching = false;

/** Begins to count, at the first object of the isolate; every object calls it. */
export function countStorage(storage: DurableObjectStorage): void {
  counters.objects += 1;
  if (isWatching) return;
  isWatching = true;
  const sql = Object.getPrototypeOf(storage.sql) as SqlStorage;
  const { exec } = sql;
  sql.exec = function (this: SqlStorage, ...args: Parameters<SqlStorage["exec"]>) {
    const cursor = exec.apply(this, args);
    open.push(cursor);
    if (open.length > maxOpen) settle();
    return cursor;
  } as SqlStorage["exec"];
  const keyed = Object.getPrototypeOf(storage) as DurableObjectStorage;
  for (const method of ["put", "delete", "setAlarm"] as const) {
    const original = keyed[method] as (...args: unknown[]) => unknown;
    const counted = function (this: DurableObjectStorage, ...args: unknown[]): unknown {
      counters.rowsWritten += 1;
      if (method === "setAlarm") counters.alarms += 1;
      return original.apply(this, args);
    };
    Object.defineProperty(keyed, method, { value: counted });
  }
}

/** What the benchmark asks of a Worker beside its room; undefined when it is for the room. */
export function answerBench(request: Request): Response | undefined {
  switch (new URL(request.url).pathname) {
    case "/counters":
      settle();
      return Response.json(counters);
    case "/collect-garbage":
      // Only where the server was started to be watched.
      (globalThis as { gc?: () => void }).gc?.();
      return new Response(null, { status: 204 });
    default:
      return undefined;
  }
}

function settle(): void {
  for (const { rowsWritten, rowsRead } of open) {
    counters.rowsWritten += rowsWritten;
    counters.rowsRead += rowsRead;
  }
  open = [];
}
