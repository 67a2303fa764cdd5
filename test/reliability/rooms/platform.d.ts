/** What `SqliteStorage` takes from Workers, for those who run it in Node; the Workers' own types clash with the DOM's. */
type SqlStorageValue = ArrayBuffer | string | number | null;

interface DurableObjectStorage {
  readonly sql: {
    exec<T extends Record<string, SqlStorageValue>>(
      query: string,
      ...bindings: unknown[]
    ): Iterable<T> & { toArray(): T[]; readonly rowsWritten: number };
  };
  transactionSync<T>(run: () => T): T;
}
