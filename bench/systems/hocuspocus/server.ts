import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { Server } from "@hocuspocus/server";
import * as Y from "yjs";

// Hocuspocus as its documentation has it, saved to SQLite: the document whole, 2 s after an edit and at least every 10 s.

const [port, folder = "."] = process.argv.slice(2);
const database = new DatabaseSync(join(folder, "documents.sqlite"));
database.exec("CREATE TABLE IF NOT EXISTS document (name TEXT PRIMARY KEY, bytes BLOB NOT NULL)");
const load = database.prepare("SELECT bytes FROM document WHERE name = ?");
const save = database.prepare("INSERT OR REPLACE INTO document VALUES (?, ?)");

const server = new Server({
  address: "127.0.0.1",
  quiet: true,
  websocketOptions: { perMessageDeflate: false, maxPayload: 2 ** 30 },
  onLoadDocument: async ({ documentName, document }) => {
    const row = load.get(documentName);
    if (row !== undefined) Y.applyUpdate(document, row["bytes"] as Uint8Array);
    await Promise.resolve();
  },
  onStoreDocument: async ({ documentName, document }) => {
    save.run(documentName, Y.encodeStateAsUpdate(document));
    await Promise.resolve();
  },
});
await server.listen(Number(port));
