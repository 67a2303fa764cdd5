import type { $ZodType } from "zod/v4/core";
import { transactType } from "../../src/model/call.ts";
import { areWireChanges } from "../../src/model/changes.ts";
import { encodeUp } from "../../src/protocol/codec.ts";
import { upFrameSchema, type UpFrame } from "../../src/protocol/up/up-frames.ts";
import { helloSchema } from "../../src/protocol/handshake/hello.ts";
import { nameTable, type NameTable } from "../../src/protocol/names.ts";
import type { AnyRoomDefinition } from "../../src/schema/definition.ts";
import type { Dice } from "../simulation/dice.ts";
import { Inventor } from "./inventor.ts";

export type Message = string | Uint8Array;

/** What makes an attack likely to get somewhere: where the room is. */
export interface Knowledge {
  /** The `clientReqId` that is due. */
  readonly due: number;
  readonly rev: number;
  readonly epoch: string | null;
}

/** Whether bytes can say its direct edits at all. */
function areChanges(frame: UpFrame): boolean {
  if (frame.kind !== "push") return false;
  return frame.calls.every(([, type, payload]) => type !== transactType || areWireChanges(payload));
}

/** Makes up frames and hellos of a client that means no good, or cannot do better. */
export class Attacker {
  readonly #inventor: Inventor;
  readonly #dice: Dice;
  readonly #definition: AnyRoomDefinition;
  readonly #names: NameTable;

  /** Of a room of this definition. */
  constructor(dice: Dice, definition: AnyRoomDefinition) {
    this.#dice = dice;
    this.#inventor = new Inventor(dice);
    this.#definition = definition;
    this.#names = nameTable(definition);
  }

  /** A message: after the grammar, beside it, or none at all. */
  message(known: Knowledge, acceptsBinary: boolean): Message {
    const dice = this.#dice;
    const kind = dice.weighted<"frame" | "spoiled" | "bytes" | "garbled" | "noise">([
      [25, "frame"],
      [35, "spoiled"],
      [acceptsBinary ? 20 : 4, "bytes"],
      [acceptsBinary ? 20 : 4, "garbled"],
      [2, "noise"],
    ]);
    switch (kind) {
      case "frame":
        return this.#inventor.write(this.#frame(known));
      case "spoiled":
        return this.#inventor.write(this.#inventor.spoil(this.#frame(known)));
      case "bytes":
        return this.#bytes(known) ?? "";
      case "garbled": {
        const bytes = this.#bytes(known);
        return bytes === undefined ? "" : new Uint8Array(this.#inventor.garble([...bytes]));
      }
      case "noise": {
        const noise = Array.from({ length: dice.between(0, 40) }, () => dice.between(0, 255));
        return dice.chance(0.5) ? new Uint8Array(noise) : String.fromCharCode(...noise);
      }
      default:
        return kind satisfies never;
    }
  }

  /** A hello as its JSON; of this client, mostly. */
  hello(secret: string, known: Knowledge): string {
    const good = { ...(this.#inventor.fit(helloSchema) as object), secret, schema: this.#definition.version };
    const at = this.#dice.chance(0.5) ? { epoch: known.epoch, rev: known.rev } : {};
    const hello = {
      ...good,
      ...at,
      ...(this.#dice.chance(0.6) && { names: this.#names.hash, knownSince: null }),
    };
    return this.#inventor.write(this.#dice.chance(0.5) ? this.#inventor.spoil(hello) : hello);
  }

  #frame(known: Knowledge): unknown {
    const dice = this.#dice;
    if (dice.chance(0.6)) return this.#push(known);
    if (dice.chance(0.3))
      return { kind: "presence", presence: this.#inventor.fit(this.#definition.presence as $ZodType) };
    if (dice.chance(0.3)) {
      const [event, schema] = dice.pick(Object.entries(this.#definition.events));
      return { kind: "event", event, payload: this.#inventor.fit(schema) };
    }
    return this.#inventor.fit(upFrameSchema);
  }

  #push({ due, rev }: Knowledge): object {
    const dice = this.#dice;
    const first = dice.chance(0.85) ? due : Math.max(1, due + dice.between(-3, 3));
    const calls = Array.from({ length: dice.chance(0.8) ? 1 : dice.between(2, 5) }, () => {
      return [dice.chance(0.8) ? rev : this.#inventor.number(), ...this.#call()];
    });
    return {
      kind: "push",
      first,
      calls,
      confirmed: dice.chance(0.9) ? Math.max(0, due - 3) : this.#inventor.number(),
    };
  }

  #call(): [type: string, payload: unknown] {
    const dice = this.#dice;
    if (dice.chance(0.4)) {
      const [type, { payload }] = dice.pick(Object.entries(this.#definition.mutators));
      return [type, this.#inventor.fit(payload)];
    }
    const edit: Record<string, unknown[]> = {};
    for (let count = dice.between(1, 2); count > 0; count--) {
      const [name, schema] = dice.pick(Object.entries(this.#definition.collections));
      (edit[name] ??= []).push(this.#change(this.#inventor.fit(schema) as object));
    }
    return [transactType, edit];
  }

  #change(record: object): unknown[] {
    const id = this.#inventor.text();
    const [field = "n"] = Object.keys(record);
    return this.#dice.pick([
      ["put", id, record],
      ["patch", id, { [field]: (record as { [name: string]: unknown })[field] ?? 1 }],
      ["patch", id, {}, [this.#dice.pick(["text", "tags", "any", "n", field])]],
      ["delete", id],
    ]);
  }

  /** A push as bytes, if it can be one. */
  #bytes(known: Knowledge): Uint8Array | undefined {
    const push = upFrameSchema.safeParse(this.#push(known));
    if (!push.success || !areChanges(push.data)) return undefined;
    const encoded = encodeUp(push.data, this.#names);
    return typeof encoded === "string" ? undefined : encoded;
  }
}
