import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** What a table takes, whatever its columns are. Bytes are those of UTF-8 text. */
export interface TableFigures {
  readonly rows: number;
  /** All columns of the largest row together. */
  readonly largestRowBytes: number;
  /** The largest value of any column. */
  readonly largestValueBytes: number;
}

export interface PageFigures {
  readonly count: number;
  readonly records: number;
  readonly bytes: number;
  readonly largestBytes: number;
  /** Pages without a record, other than a collection's first. */
  readonly empty: number;
}

/** The database of the only room of a server, read while that runs or not. */
export class RoomFile {
  readonly #database: DatabaseSync;

  /** `dataPath`: where the rooms' databases are. Throws unless there is exactly one. */
  constructor(dataPath: string) {
    const names = readdirSync(dataPath).filter((name) => /^[0-9a-f]+\.sqlite$/.test(name));
    if (names.length !== 1) throw new Error(`there are ${names.length} rooms in ${dataPath}`);
    this.#database = new DatabaseSync(join(dataPath, names.join()), { readOnly: true });
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  /** By name, every table there is. */
  tables(): Map<string, TableFigures> {
    const tables = new Map<string, TableFigures>();
    const named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_cf_*'";
    for (const { name } of this.#rows<{ name: string }>(named)) tables.set(name, this.#table(name));
    return tables;
  }

  pages(): PageFigures {
    const [figures] = this.#rows<PageFigures>(
      `SELECT count(*) AS count, sum(json_array_length(records, '$[0]')) AS records, sum(octet_length(records)) AS bytes,
         max(octet_length(records)) AS largestBytes,
         count(*) FILTER (WHERE json_array_length(records, '$[0]') = 0 AND firstId <> '') AS empty
       FROM deltaroom_page`,
    );
    if (figures === undefined) throw new Error("a count answers one row");
    return figures;
  }

  /** Bytes of the flushes that the pages do not hold yet. */
  journaledBytes(): number {
    const [{ bytes } = { bytes: 0 }] = this.#rows<{ bytes: number }>(
      `SELECT coalesce(sum(octet_length(body) + octet_length(clientLog) + octet_length(authors)), 0) AS bytes
       FROM deltaroom_journal WHERE flushSeq > (SELECT flushSeq FROM deltaroom_room)`,
    );
    return bytes;
  }

  #table(name: string): TableFigures {
    const columns = this.#rows<{ name: string }>(`SELECT name FROM pragma_table_info('${name}')`);
    const lengths = columns.map((column) => `coalesce(octet_length("${column.name}"), 0)`);
    const [figures] = this.#rows<TableFigures>(
      `SELECT count(*) AS rows, coalesce(max(${lengths.join(" + ")}), 0) AS largestRowBytes,
         coalesce(max(max(${lengths.join(", ")}, 0)), 0) AS largestValueBytes
       FROM "${name}"`,
    );
    if (figures === undefined) throw new Error("a count answers one row");
    return figures;
  }

  #rows<T>(query: string): T[] {
    return this.#database.prepare(query).all() as T[];
  }
}
