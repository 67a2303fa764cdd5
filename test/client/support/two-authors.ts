import { decodeChanges, type Change, type WireChanges } from "../../../src/model/changes.ts";
import {
  joined,
  pass,
  type Scripted,
  type ScriptedSocket,
  type SentCall,
} from "../../support/rooms/scripted-room.ts";
import type { ScriptedOutcome } from "../../support/frames/frame-builders.ts";

type Author = "here" | "there";
type Shape = { [field: string]: unknown };

/** Shapes, and who has written each field of each, or deleted it, last. */
class AuthoredShapes {
  readonly shapes = new Map<string, Shape>();
  readonly authors = new Map<string, Author>();

  /** Answers whether all of it could be done; if not, nothing was. */
  apply(changes: WireChanges, author: Author): boolean {
    const records = [...(decodeChanges(changes).get("shapes") ?? [])];
    if (records.some(([id, { kind }]) => kind === "patch" && !this.shapes.has(id))) return false;
    for (const [id, change] of records) this.set(id, after(this.shapes.get(id), change), author);
    return true;
  }

  set(id: string, shape: Shape | undefined, author: Author): void {
    const before = this.shapes.get(id);
    const isAnother = (before === undefined) !== (shape === undefined);
    // Who makes a record has decided which fields it lacks.
    for (const field of ["x", "y", "color"])
      if (isAnother || before?.[field] !== shape?.[field]) this.authors.set(`${id}.${field}`, author);
    if (isAnother) this.authors.set(id, author);
    if (shape === undefined) this.shapes.delete(id);
    else this.shapes.set(id, shape);
  }
}

function after(shape: Shape | undefined, change: Change): Shape | undefined {
  if (change.kind === "delete") return undefined;
  if (change.kind === "put") return { ...change.record };
  const merged: Shape = { ...shape, ...change.set };
  for (const field of change.unset) delete merged[field];
  return merged;
}

/**
 * A client and a room in which somebody else edits as well. The room is a model that knows who wrote what; what it has
 * to tell waits until it is delivered.
 */
export class TwoAuthors {
  readonly room: Scripted["room"];
  /** What the client shows, and who has written it as far as the client can know. */
  readonly view = new AuthoredShapes();
  readonly #socket: ScriptedSocket;
  /** The room's truth, and what of it has been told. */
  readonly #truth = new AuthoredShapes();
  readonly #told = new AuthoredShapes();
  readonly #untold: (() => void)[] = [];
  #executed = 0;
  #rev = 0;

  private constructor({ room, socket }: Scripted & { socket: ScriptedSocket }) {
    this.room = room;
    this.#socket = socket;
    room.on("reject", () => {});
  }

  static async meet(shapes: { readonly [id: string]: Shape }): Promise<TwoAuthors> {
    const two = new TwoAuthors(await joined({ records: { shapes } }));
    for (const state of [two.view, two.#truth, two.#told])
      for (const [id, shape] of Object.entries(shapes)) state.set(id, shape, "here");
    return two;
  }

  /** Lets the client do something; answers what it changed of the view. */
  act(run: () => void): string[] {
    run();
    return this.#look(() => "here");
  }

  /** The other edits, in the room; `changes` fits what is there. */
  edit(changes: WireChanges): void {
    if (this.#truth.apply(changes, "there")) this.#commit(changes, "there");
  }

  has(id: string): boolean {
    return this.#truth.shapes.has(id);
  }

  /** The room executes all that has come, or refuses it. */
  async execute(refuses: boolean): Promise<void> {
    await pass(20);
    for (const call of this.#socket.calls.slice(this.#executed)) this.#run(call, refuses);
    this.#executed = this.#socket.calls.length;
  }

  /** The oldest frames reach the client. */
  async deliver(frames: number): Promise<void> {
    for (const tell of this.#untold.splice(0, frames)) tell();
    await pass(0); // refusals reach the history
  }

  async settle(): Promise<void> {
    while (this.room.pending > 0 || this.#untold.length > 0) {
      await this.execute(false);
      await this.deliver(Infinity);
    }
  }

  #run({ clientReqId: id, payload }: SentCall, refuses: boolean): void {
    const changes = payload as WireChanges;
    if (refuses) return this.#answer([id, { code: "forbidden", message: "no" }]);
    if (!this.#truth.apply(changes, "here"))
      return this.#answer([id, { code: "not-found", message: "gone" }]);
    this.#commit(changes, "here", id);
  }

  #answer(outcome: ScriptedOutcome): void {
    this.#untold.push(() => {
      this.#socket.update({ lastCallId: outcome[0], outcomes: [outcome] });
      this.#look((key) => this.#toldAuthorOf(key));
    });
  }

  #commit(changes: WireChanges, author: Author, id?: number): void {
    const rev = ++this.#rev;
    const own = id === undefined ? {} : { lastCallId: id, outcomes: [[id, rev] as const] };
    this.#untold.push(() => {
      this.#told.apply(changes, author);
      this.#socket.delta(rev - 1, changes, own);
      this.#look((key) => this.#toldAuthorOf(key));
    });
  }

  /** Who has written what is shown: what differs from what was told is of calls that wait. */
  #toldAuthorOf(key: string): Author {
    const [id = "", field] = key.split(".");
    const [told, shown] = [this.#told.shapes.get(id), this.#shown.get(id)];
    const isTold =
      field === undefined ? (told === undefined) === (shown === undefined) : told?.[field] === shown?.[field];
    return (isTold && this.#told.authors.get(key)) || "here";
  }

  get #shown(): Map<string, Shape> {
    return new Map(this.room.state.shapes.entries().map(([id, shape]) => [id, { ...shape }]));
  }

  /** Notes who has changed the view, by field; answers what is another than before. */
  #look(authorOf: (key: string) => Author): string[] {
    const before = new Map(this.view.authors);
    const shown = this.#shown;
    const changed: string[] = [];
    for (const id of new Set([...this.view.shapes.keys(), ...shown.keys()])) {
      const [was, is] = [this.view.shapes.get(id), shown.get(id)];
      if ((was === undefined) !== (is === undefined)) changed.push(id);
      for (const field of new Set([...Object.keys(was ?? {}), ...Object.keys(is ?? {})]))
        if (was?.[field] !== is?.[field]) changed.push(`${id}.${field}`);
      this.view.set(id, is, "here");
    }
    for (const key of changed) this.view.authors.set(key, authorOf(key));
    return changed.map((key) => `${key} of ${before.get(key) ?? "nobody"}`);
  }
}
