import type { Checkpoint, RoomRow, RoomStorage } from "../../../src/room/storage/room-storage.ts";
import type { JournalRow } from "../../../src/room/engine/journal-row.ts";
import { MemoryStorage } from "../../../testing/memory-storage.ts";
import { readDelta } from "../../support/frames/decoded-frames.ts";
import { Histories, Ledger } from "../judges/ledger.ts";
import type { Stage } from "../stage.ts";

/** What a disk that fails says. */
export class DiskError extends Error {
  override readonly name = "DiskError";
}

/** What an instance meets that is no more: whatever it still does has no effect. */
export class EndedError extends Error {
  override readonly name = "EndedError";
}

export const writes = ["create", "append", "checkpoint"] as const;
export const reads = [
  "room",
  "pages",
  "page",
  "pageRecords",
  "deflatedRecords",
  "undeflatedPages",
  "saveDeflated",
  "pagesBytes",
  "clientLog",
  "segments",
  "journal",
  "ring",
  "assertNewest",
] as const;
type Access = (typeof writes)[number] | (typeof reads)[number];

/** Whoever holds a handle: an instance of the room. */
export interface Holder {
  readonly isEnded: boolean;
  /** Ends the instance where it is, with its sockets. */
  end(why: string): void;
  /** A row of the instance is on disk. */
  wrote(row: JournalRow): void;
}

/** A disk as it was at some moment, with what the model knew then. */
export interface Backup {
  readonly storage: MemoryStorage;
  readonly ledger: Ledger;
}

/** The storage of the room, whoever writes to it, and the ledger of what was written. */
export class Disk {
  readonly histories = new Histories();
  /** The write before or after which the instance ends that makes it. */
  crash: { readonly write: "append" | "checkpoint"; readonly when: "before" | "after" } | undefined;
  /** How likely each kind of access throws. */
  readonly failing = new Map<Access, number>();
  /** Whether it ever did. */
  hasFailed = false;
  /** Whoever has all that is written. */
  newest: Holder | undefined;
  readonly #stage: Stage;
  readonly #slots: number;
  #storage: MemoryStorage;

  constructor(stage: Stage, slots: number) {
    this.#stage = stage;
    this.#slots = slots;
    this.#storage = new MemoryStorage(slots);
  }

  get ledger(): Ledger {
    return this.histories.current;
  }

  /** The same rows, for looking at; it never fails. */
  copy(): MemoryStorage {
    return this.#storage.copy();
  }

  backUp(): Backup {
    return { storage: this.copy(), ledger: new Ledger(this.ledger) };
  }

  /** Puts the disk back to where it was. All instances have ended. */
  restore({ storage, ledger }: Backup): void {
    this.#storage = storage.copy();
    this.histories.current = new Ledger(ledger);
  }

  /** The storage as `holder` has it. */
  open(holder: Holder): RoomStorage {
    this.newest = holder;
    const reach = (access: Access): MemoryStorage => {
      if (holder.isEnded) throw new EndedError("the instance has ended");
      if (this.#stage.dice.chance(this.failing.get(access) ?? 0)) {
        this.hasFailed = true;
        this.#stage.note("disk fails to", access);
        this.#stage.figures.count(`fault: disk fails to ${access}`);
        throw new DiskError(`disk: ${access}`);
      }
      return this.#storage;
    };
    return {
      room: () => reach("room").room(),
      create: (row) => this.#create(reach("create"), row),
      pages: () => reach("pages").pages(),
      page: (number, checkpoints) => reach("page").page(number, checkpoints),
      pageRecords: (number, checkpoints) => reach("pageRecords").pageRecords(number, checkpoints),
      deflatedRecords: (numbers, checkpoints) =>
        reach("deflatedRecords").deflatedRecords(numbers, checkpoints),
      undeflatedPages: (minBytes) => reach("undeflatedPages").undeflatedPages(minBytes),
      saveDeflated: (number, deflated, checkpoints) =>
        reach("saveDeflated").saveDeflated(number, deflated, checkpoints),
      pagesBytes: (isDeflated) => reach("pagesBytes").pagesBytes(isDeflated),
      clientLog: () => reach("clientLog").clientLog(),
      segments: () => reach("segments").segments(),
      journal: (n) => reach("journal").journal(n),
      ring: (from, n) => reach("ring").ring(from, n),
      append: (row, checkpoints) => this.#append(reach("append"), holder, row, checkpoints),
      assertNewest: (n, checkpoints) => reach("assertNewest").assertNewest(n, checkpoints),
      checkpoint: (checkpoint) => this.#checkpoint(reach("checkpoint"), holder, checkpoint),
    };
  }

  #create(storage: MemoryStorage, row: RoomRow): void {
    storage.create(row);
    this.ledger.created(row);
    this.histories.noteEpoch();
  }

  #append(storage: MemoryStorage, holder: Holder, row: JournalRow, checkpoints: number): void {
    this.#crashWhenTold("append", "before", holder);
    storage.append(row, checkpoints);
    this.newest = holder;
    holder.wrote(row);
    this.#stage.note(
      "row",
      row.flushSeq,
      row.epoch,
      row.from,
      row.to,
      () => JSON.stringify(readDelta(row.body)),
      row.clientLog,
    );
    this.#report(this.ledger.appended(row));
    this.#stage.figures.count("operations committed", row.to - row.from);
    this.#stage.figures.count("flushes");
    if (row.flushSeq > this.#slots) this.#stage.figures.count("journal rows that took another's place");
    this.#crashWhenTold("append", "after", holder);
  }

  #checkpoint(storage: MemoryStorage, holder: Holder, checkpoint: Checkpoint): void {
    this.#crashWhenTold("checkpoint", "before", holder);
    storage.checkpoint(checkpoint);
    this.newest = holder;
    const { room, forgottenClients } = checkpoint;
    this.#stage.note("checkpoint", room.flushSeq, room.epoch, room.rev, ...forgottenClients);
    this.#report(this.ledger.checkpointed(checkpoint));
    this.histories.noteEpoch();
    this.#stage.figures.count("checkpoints");
    if (forgottenClients.length > 0)
      this.#stage.figures.count("clientLog forgotten", forgottenClients.length);
    this.#crashWhenTold("checkpoint", "after", holder);
  }

  #report(problem: string | undefined): void {
    if (problem !== undefined) this.#stage.fail(problem);
  }

  #crashWhenTold(write: "append" | "checkpoint", when: "before" | "after", holder: Holder): void {
    if (this.crash?.write !== write || this.crash.when !== when) return;
    this.crash = undefined;
    this.#stage.figures.count(`fault: crash ${when} ${write}`);
    holder.end(`crash ${when} ${write}`);
    throw new EndedError("crashed");
  }
}
