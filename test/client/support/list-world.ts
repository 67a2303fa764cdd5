import { Replica, type ViewChanges } from "../../../client/replica/replica.ts";
import type { SubmittedCall } from "../../../src/room/engine/submission.ts";
import { decodeDelta, type Delta, type Entries } from "../../../src/protocol/encoding/delta.ts";
import { defaultLimits, type Limits } from "../../../src/room/limits.ts";
import { RecordsReader } from "../../../src/model/reader.ts";
import type { PendingCall } from "../../../client/replica/rebase.ts";
import { orderBetween, type Json } from "../../../src/index.ts";
import { Journal } from "../../../src/room/storage/journal.ts";
import { keysIn, listBoard } from "../../support/boards/list-board.ts";
import { MemoryStorage } from "../../../testing/memory-storage.ts";
import { writer } from "../../support/boards/rules-board.ts";

/** Small, so that keys are long soon, and pages many. */
const limits: Limits = { ...defaultLimits, longOrderKeyLength: 16, maxShortenedOrderKeys: 8, pageBytes: 150 };

/** A client whose network is two lists. */
export class ListClient {
  readonly clientId: string;
  readonly replica: Replica;
  /** What an app reads. */
  readonly tasks: RecordsReader;
  pending: (SubmittedCall & PendingCall)[] = [];
  up: SubmittedCall[] = [];
  down: { readonly delta: Delta | undefined; readonly lastCallId: number }[] = [];
  #lastId = 0;

  constructor(clientId: string) {
    this.clientId = clientId;
    this.replica = new Replica(listBoard, writer(clientId), () => true);
    this.tasks = new RecordsReader(() => this.replica.view, "tasks");
    this.replica.finishSnapshot("epoch", 0, { from: 0, to: 0, entries: new Map() }, []);
  }

  make(type: string, payload: Json): void {
    const call = { type, payload, madeAt: 0, baseRev: this.replica.rev, clientReqId: ++this.#lastId };
    const prediction = this.replica.run(call);
    if (prediction.kind !== "done") return void (this.#lastId -= 1);
    this.#note(this.replica.put(prediction.writes));
    this.pending.push(call);
    this.up.push(call);
  }

  /** Ids as they are shown, and the key of each. */
  get shown(): readonly (readonly [id: string, key: string])[] {
    return this.tasks.entries("order").map(([id, { order }]) => [id, order as string]);
  }

  /** A key for a place in the list, without the record that moves there. */
  keyAt(place: number, moving?: string): string {
    const others = this.shown.filter(([id]) => id !== moving);
    const at = place % (others.length + 1);
    return orderBetween(others[at - 1]?.[1], others[at]?.[1]);
  }

  receive(): void {
    const frame = this.down.shift();
    if (frame === undefined) return;
    this.pending = this.pending.filter(({ clientReqId }) => clientReqId > frame.lastCallId);
    this.#note(this.replica.advance(frame.delta, this.pending));
  }

  /** Takes a whole state in the place of what it has. */
  restart(delta: Delta, lastCallId: number): void {
    this.down = [];
    this.pending = this.pending.filter(({ clientReqId }) => clientReqId > lastCallId);
    this.#note(this.replica.finishSnapshot("epoch", 0, delta, this.pending));
    this.up = [...this.pending];
  }

  #note(changes: ViewChanges): void {
    const records = changes.get("tasks");
    if (records !== undefined) this.tasks.forget(records);
  }
}

/** A room with a disk, and its clients. */
export class ListWorld {
  readonly clients: readonly ListClient[];
  readonly journal: Journal;

  constructor(clientIds: readonly string[]) {
    this.clients = clientIds.map((clientId) => new ListClient(clientId));
    const options = { definition: listBoard, limits, serverMutators: {}, onFailure: () => {} };
    this.journal = new Journal(new MemoryStorage(2 * limits.maxRingFlushes), options, () => "epoch");
    this.journal.create();
  }

  /** The list as the room has it. */
  get keys(): { [id: string]: string } {
    return keysIn(this.journal.roomState.records, "tasks", "order");
  }

  /** The room takes a call off the wire; answers which record that was of. */
  execute(client: ListClient): string | undefined {
    const call = client.up.shift();
    if (call === undefined) return undefined;
    const { kind } = this.journal.engine.submit(writer(client.clientId), call, 0);
    return kind === "executed" ? (call.payload as { id: string }).id : undefined;
  }

  flush(): void {
    const { engine } = this.journal;
    const flush = engine.takeBatch(0);
    if (flush === undefined) return;
    this.journal.write(flush);
    for (const client of this.clients) {
      const delta = flush.delta && decodeDelta(flush.delta.body);
      client.down.push({ delta, lastCallId: this.#loggedClientOf(client) });
    }
  }

  /** Forgets all memory, behind a checkpoint perhaps. Every client takes the state anew. */
  evict(withCheckpoint: boolean): void {
    this.flush();
    if (withCheckpoint) this.journal.checkpoint(0, () => true);
    this.journal.reload();
    for (const client of this.clients) client.restart(this.#snapshot(), this.#loggedClientOf(client));
  }

  settle(): void {
    for (const client of this.clients) while (client.up.length > 0) this.execute(client);
    this.flush();
    for (const client of this.clients) while (client.down.length > 0) client.receive();
  }

  #snapshot(): Delta {
    const { records, handles, rev } = this.journal.roomState;
    const entries: Entries = new Map();
    for (const name of Object.keys(listBoard.collections)) {
      const listed = records.ids(name).map((id) => {
        const record = records.get(name, id);
        if (record === undefined) throw new Error(`${id} is listed and not there`);
        return [handles.get(name, id) as number, { id, change: { kind: "put", record } }] as const;
      });
      entries.set(name, new Map(listed));
    }
    return { from: 0, to: rev, entries };
  }

  #loggedClientOf(client: ListClient): number {
    return this.journal.roomState.clientLog.get(client.clientId)?.lastCallId ?? 0;
  }
}
