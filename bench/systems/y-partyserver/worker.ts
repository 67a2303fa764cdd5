import { routePartykitRequest } from "partyserver";
import { YServer } from "y-partyserver";
import * as Y from "yjs";
import { answerBench, countStorage } from "../counters.ts";

interface Env {
  readonly ROOMS: DurableObjectNamespace<Room>;
}

/** A row takes 2 MB. */
const maxPieceBytes = 1_900_000;

/** A room as the package's documentation has it: the document is saved whole, 2 s after an edit and at least every 10 s. */
export class Room extends YServer<Env> {
  static override options = { hibernate: true };

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    countStorage(ctx.storage);
    ctx.storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS document (piece INTEGER PRIMARY KEY, bytes BLOB NOT NULL)",
    );
  }

  override async onLoad(): Promise<void> {
    const rows = this.ctx.storage.sql.exec<{ bytes: ArrayBuffer }>(
      "SELECT bytes FROM document ORDER BY piece",
    );
    const pieces = rows.toArray().map(({ bytes }) => new Uint8Array(bytes));
    if (pieces.length === 0) return;
    Y.applyUpdate(this.document, new Uint8Array(await new Blob(pieces).arrayBuffer()));
  }

  override async onSave(): Promise<void> {
    const update = Y.encodeStateAsUpdate(this.document);
    const { sql } = this.ctx.storage;
    const pieces = Math.ceil(update.byteLength / maxPieceBytes);
    this.ctx.storage.transactionSync(() => {
      for (let piece = 0; piece < pieces; piece++) {
        const bytes = update.slice(piece * maxPieceBytes, (piece + 1) * maxPieceBytes);
        sql.exec("INSERT OR REPLACE INTO document VALUES (?, ?)", piece, bytes.buffer);
      }
      sql.exec("DELETE FROM document WHERE piece >= ?", pieces);
    });
  }
}

export default {
  async fetch(request, env) {
    const answer = answerBench(request);
    if (answer !== undefined) return answer;
    return (await routePartykitRequest(request, { ...env })) ?? new Response("not a room", { status: 404 });
  },
} satisfies ExportedHandler<Env>;
