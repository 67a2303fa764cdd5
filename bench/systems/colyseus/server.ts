import { Room, Server, type Client } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { WebSocketTransport } from "@colyseus/ws-transport";

// Colyseus as its documentation has it: the state is a schema in memory, patches go out every 50 ms, nothing is saved.

const Note = schema(
  { kind: t.string(), x: t.number(), y: t.number(), color: t.string(), text: t.string() },
  "Note",
);
const Notes = schema({ notes: t.map(Note) }, "Notes");

type Put = [id: string, note: { kind: string; x: number; y: number; color: string; text: string }][];

class NotesRoom extends Room {
  override state = new Notes();
  override autoDispose = false;

  override onCreate(): void {
    this.onMessage("put", (_client: Client, notes: Put) => {
      for (const [id, note] of notes) this.state.notes.set(id, new Note().assign(note));
    });
    this.onMessage("move", (_client: Client, { id, x, y }: { id: string; x: number; y: number }) => {
      const note = this.state.notes.get(id);
      if (note !== undefined) Object.assign(note, { x, y });
    });
  }
}

const [port] = process.argv.slice(2);
// What a client may send at a time is raised only so that the room can be filled.
const transport = new WebSocketTransport({ maxPayload: 2 ** 20 });
const server = new Server({ transport, greet: false });
server.define("notes", NotesRoom);
await server.listen(Number(port), "127.0.0.1");
