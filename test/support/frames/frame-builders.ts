import type { Outcome } from "../../../src/model/call.ts";
import { decodeChanges, type Change, type WireChanges } from "../../../src/model/changes.ts";
import { encodeDelta } from "../../../src/protocol/encoding/delta.ts";
import { Handles } from "../../../src/room/storage/handles.ts";
import type { Fields } from "../../../src/model/json.ts";
import { encodeText } from "../../../src/protocol/codec.ts";
import type { TextFrame, Update, WireOutcome } from "../../../src/protocol/down/down-frames.ts";
import { encodeSnapshotPart } from "../../../src/protocol/down/snapshot-part.ts";
import { encodeShared, encodeUpdate } from "../../../src/protocol/down/update.ts";
import type { Json } from "../../../src/index.ts";

/** A delta as a test says it: by the ids of records. */
interface ScriptedDelta {
  readonly from: number;
  readonly to: number;
  readonly changes: WireChanges;
}

/** A call's id, and what it came to: its revision, or the refusal. */
export type ScriptedOutcome = readonly [
  clientReqId: number,
  result: number | { readonly code: string; readonly message: string; readonly data?: Json },
  callHash?: number,
];

export interface ScriptedUpdate extends Omit<Update, "delta" | "outcomes"> {
  readonly delta?: ScriptedDelta;
  readonly outcomes?: readonly ScriptedOutcome[];
}

export interface ScriptedPart {
  readonly kind: "snapshot";
  readonly part: number;
  readonly collection: string;
  readonly from: string;
  readonly until: string | null;
  readonly records: readonly (readonly [id: string, record: object])[];
}

export type ScriptedFrame = TextFrame | ScriptedUpdate | ScriptedPart;

/** Says frames as a room does, which gives each record a handle when it first speaks of it. */
export class Speaker {
  readonly #handles = new Handles(0);

  encode(frame: ScriptedFrame): string | Uint8Array {
    switch (frame.kind) {
      case "update":
        return this.#encodeUpdate(frame);
      case "snapshot":
        return this.#encodePart(frame);
      default:
        return encodeText(frame);
    }
  }

  #encodeUpdate({ delta, outcomes, ...update }: ScriptedUpdate): Uint8Array {
    const body =
      delta &&
      encodeDelta(delta.from, delta.to, this.#handles.take(decodeChanges(structuredClone(delta.changes))))
        .body;
    const own = { ...update, outcomes: outcomes?.map(outcomeOf) };
    return encodeUpdate(own, encodeShared({ ...update, delta: body }));
  }

  #encodePart({ part, collection, from, until, records }: ScriptedPart): Uint8Array {
    const page = [
      records.map(([id]) => id),
      records.map(([id, record]) => this.#handleOf(collection, id, record)),
      records.map(([, record]) => record),
    ];
    const text = new TextEncoder().encode(JSON.stringify(page));
    return encodeSnapshotPart({
      part,
      left: 0,
      rev: 0,
      collection,
      from,
      until,
      isDeflated: false,
      content: text,
    });
  }

  #handleOf(collection: string, id: string, record: object): number {
    const put: Change = { kind: "put", record: record as Fields };
    this.#handles.take(new Map([[collection, new Map([[id, put]])]]));
    return this.#handles.get(collection, id) as number;
  }
}

function outcomeOf([id, result, callHash]: ScriptedOutcome): WireOutcome {
  const outcome: Outcome =
    typeof result === "number" ? { kind: "accepted", rev: result } : { kind: "rejected", ...result };
  return callHash === undefined ? [id, outcome] : [id, outcome, callHash];
}
