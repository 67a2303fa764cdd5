import type { Caller, Outcome } from "../../../src/model/call.ts";
import type { Flush } from "../../../src/room/engine/batch.ts";
import { Engine, type EngineOptions } from "../../../src/room/engine/engine.ts";
import type { SubmittedCall, Submission } from "../../../src/room/engine/submission.ts";
import { defaultLimits, type Limits } from "../../../src/room/limits.ts";
import { wake, type RoomState } from "../../../src/room/storage/room-state.ts";
import { Partitions } from "../../../src/room/visibility/partitions.ts";
import type { Json } from "../../../src/index.ts";
import { MemoryStorage } from "../../../testing/memory-storage.ts";
import { rulesBoard, rulesServerMutators, writer } from "../boards/rules-board.ts";

export const now = 1_700_000_000_000;
export const ann = writer("ann");
export const ben = writer("ben");

/** A room without a disk: flushes are settled as soon as they are cut. */
export class EngineHarness {
  readonly engine: Engine<RoomState>;
  readonly failures: unknown[] = [];
  readonly flushes: Flush[] = [];

  constructor(options: Partial<EngineOptions> = {}, limits: Partial<Limits> = {}) {
    const allLimits = { ...defaultLimits, ...limits };
    const partitions = new Partitions((options.definition ?? rulesBoard).private);
    this.engine = new Engine(
      wake(new MemoryStorage(64), allLimits, () => "epoch", partitions),
      {
        definition: rulesBoard,
        limits: allLimits,
        serverMutators: rulesServerMutators,
        onFailure: (error) => this.failures.push(error),
        ...options,
      },
    );
  }

  get roomState(): RoomState {
    return this.engine.roomState;
  }

  submit(client: Caller, call: SubmittedCall): Submission {
    return this.engine.submit(client, call, now);
  }

  /** Makes the client's next call. */
  next(client: Caller, type: string, payload: Json, baseRev = this.roomState.rev): Submission {
    const clientReqId = (this.roomState.clientLog.get(client.clientId)?.lastCallId ?? 0) + 1;
    return this.submit(client, { clientReqId, baseRev, type, payload });
  }

  /** Makes the client's next call and tells what it came to. */
  outcome(client: Caller, type: string, payload: Json, baseRev?: number): Outcome | undefined {
    const { kind } = this.next(client, type, payload, baseRev);
    if (kind !== "executed") throw new Error(`${type} was not executed: ${kind}`);
    const logged = this.roomState.clientLog.get(client.clientId);
    return logged?.answers.at(-1)?.[1];
  }

  put(client: Caller, id: string, text = ""): Outcome | undefined {
    return this.outcome(client, "transact", { notes: [["put", id, { text, rank: 0 }]] });
  }

  flush(): Flush {
    const flush = this.engine.takeBatch(now);
    if (flush === undefined) throw new Error("there was nothing to flush");
    this.engine.onPersisted(flush);
    this.flushes.push(flush);
    return flush;
  }
}
