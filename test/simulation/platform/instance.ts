import type { Operation } from "../../../src/room/engine/batch.ts";
import type { JournalRow } from "../../../src/room/engine/journal-row.ts";
import { pingText } from "../../../src/protocol/version.ts";
import { SupersededError } from "../../../src/room/storage/room-storage.ts";
import { Rejection } from "../../../src/index.ts";
import { RoomServer } from "../../../src/room/room-server.ts";
import type { TurnedAway } from "../../../src/room/sessions/admission.ts";
import type { RoomPorts, RoomRules } from "../../../src/room/room-ports.ts";
import type { Attachment, Session, Socket } from "../../../src/room/sessions/session.ts";
import { serverMutators } from "../board.ts";
import { DiskError, EndedError, type Disk, type Holder } from "./disk.ts";
import type { Stage } from "../stage.ts";
import type { Wire } from "./wire.ts";
import type { SessionJudge } from "../judges/session-judge.ts";
import { fakeCompressed } from "./fake-compression.ts";

/** What an app's hook throws here. */
class HookError extends Error {}

/** What an instance knows of its platform. */
export interface Surroundings {
  readonly stage: Stage;
  readonly disk: Disk;
  readonly sessionJudge: SessionJudge;
  /** How wrong the room's clock is. */
  readonly skewMs: () => number;
  /** Has `alarm` of whatever instance there is called at that time of the room's clock. */
  readonly setAlarm: (instance: Instance, at: number) => void;
  readonly newEpoch: () => string;
  readonly newToken: () => string;
  /** The instance has ended; its wires are the platform's to deal with. */
  readonly ended: (instance: Instance, why: string) => void;
}

/** What a room may log when a disk fails, another instance has taken over, or a hook throws. */
const diskTroubles = new Set([
  "storage-failed",
  "wake-failed",
  "frame-failed",
  "session-failed",
  "deflate-failed",
  "hook-failed",
]);

/** One instance of the Durable Object: the room itself, its timers and its sockets, until it ends. */
export class Instance implements Holder {
  readonly room: RoomServer;
  readonly sessions = new Map<Wire, Session>();
  readonly name: string;
  readonly #at: Surroundings;
  isEnded = false;
  /** Revisions that it has written, and no hook has heard of. */
  readonly #unheard: number[] = [];
  /** Whether a hook writes. */
  #isActing = false;

  /** Throws when storage cannot be read. */
  constructor(name: string, at: Surroundings) {
    this.name = name;
    this.#at = at;
    this.room = new RoomServer(at.stage.board, at.stage.plan.limits, this.#rules(), this.#ports());
  }

  /** Ends it here and now: whatever it was about to do has no effect. */
  end(why: string): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.#at.stage.note(this.name, "ends:", why);
    this.#at.ended(this, why);
  }

  /** Runs what the platform calls. Undefined when it threw what a broken disk or the end of an instance explains. */
  guard<T>(what: string, run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      this.#at.stage.note(this.name, what, "threw", error);
      const isExplained =
        this.isEnded || [DiskError, EndedError, SupersededError].some((known) => error instanceof known);
      if (!isExplained) this.#at.stage.fail(`${what} threw ${textOf(error)}`);
      return undefined;
    }
  }

  join(wire: Wire, run: (socket: Socket) => Session | TurnedAway): Session | TurnedAway | undefined {
    const joined = this.guard("join", () => run(this.#socketOf(wire)));
    if (joined !== undefined && !("code" in joined)) this.sessions.set(wire, joined);
    return joined;
  }

  restore(wire: Wire, attachment: Attachment): Session | undefined {
    const session = this.guard("restore", () => this.room.restore(this.#socketOf(wire), attachment));
    if (session !== undefined) this.sessions.set(wire, session);
    this.#at.sessionJudge.restored(wire);
    return session;
  }

  #socketOf(wire: Wire): Socket {
    const { sessionJudge } = this.#at;
    return {
      pingedAt: () => wire.pingedAt,
      send: (raw) => {
        if (this.isEnded || !wire.isOpenAtRoom) return;
        if (raw === pingText) {
          this.#at.stage.figures.count("sessions asked");
          return wire.sendDown(raw);
        }
        sessionJudge.sent(wire, raw);
        wire.sendDown(raw);
      },
      close: (code, reason) => {
        if (this.isEnded) return;
        wire.attachment = undefined;
        wire.closeByRoom(code, reason);
      },
      save: (attachment) => {
        if (!this.isEnded) wire.attachment = JSON.parse(JSON.stringify(attachment)) as Attachment;
      },
    };
  }

  #ports(): RoomPorts {
    const { stage, disk, skewMs, setAlarm, newEpoch } = this.#at;
    return {
      storage: disk.open(this),
      now: () => stage.clock.now + skewMs(),
      setTimer: (run, delayMs) =>
        stage.clock.after(delayMs, () => {
          if (!this.isEnded) this.guard("a timer of the room", run);
        }),
      setAlarm: (at) => setAlarm(this, at),
      newEpoch,
      deflate: (bytes) => Promise.resolve(fakeCompressed(bytes)),
      abort: (reason) => this.end(`abort: ${reason}`),
      log: (event, facts) => this.#logged(event, String(facts["error"])),
    };
  }

  #logged(event: string, error: string): void {
    const { stage } = this.#at;
    stage.note(this.name, "logs", event, error);
    stage.figures.count(`log: ${event}`);
    if (this.isEnded) return; // what it meets in the rest of its turn is nobody's business
    if (event === "mutator-failed" && /stumbled|leant on nothing/.test(error)) return;
    const isDisk = /DiskError|EndedError|SupersededError|storage failed|journal full/.test(error);
    if (diskTroubles.has(event) && (isDisk || error.includes("a hook threw"))) return;
    stage.fail(`the room logged ${event}: ${error}`);
  }

  #rules(): RoomRules {
    const { hasHooks } = this.#at.stage.plan;
    return {
      serverMutators,
      authorize: ({ payload }) => {
        if ((payload as { key?: string }).key === "forbidden")
          throw new Rejection("forbidden", "not this one");
        return true;
      },
      onJoin: () => hasHooks && this.#act(),
      onLeave: () => hasHooks && this.#act(),
      onFlush: () => {},
      onCommit: (operation: Operation) => {
        this.#hear(operation);
        if (hasHooks) this.#act();
      },
    };
  }

  /** Notes which operations its hooks are to hear: those of its own rows. Rows that another instance has written are heard there. */
  wrote({ from, to }: JournalRow): void {
    for (let rev = from + 1; rev <= to; rev++) this.#unheard.push(rev);
  }

  /** A hook hears each operation once, in order of revisions, when it is on disk and no other hook runs. */
  #hear({ rev }: Operation): void {
    const { stage, disk } = this.#at;
    if (this.isEnded || stage.isLawless) return;
    const expected = this.#unheard.shift();
    if (rev !== expected) stage.fail(`a hook heard revision ${rev}, and ${expected} was next`);
    if (rev > disk.ledger.rev) stage.fail(`a hook heard revision ${rev}, on disk is ${disk.ledger.rev}`);
    if (this.#isActing) stage.fail(`a hook heard revision ${rev} within another hook`);
  }

  /** What an app does in its hooks: mostly nothing, else each of the three things that it may do. */
  #act(): void {
    const { stage } = this.#at;
    if (this.isEnded || !stage.dice.chance(0.2)) return;
    const choice = stage.dice.between(1, 3);
    if (choice === 1) this.#transactWithin();
    else if (choice === 2) this.room.broadcast("wave", { token: this.#at.newToken() });
    else throw new HookError("a hook threw");
  }

  #transactWithin(): void {
    this.#isActing = true;
    try {
      this.transact();
    } finally {
      this.#isActing = false;
    }
  }

  /** An edit of the room's own; what it answers has to be on disk. */
  transact(): void {
    const { stage, disk, newToken } = this.#at;
    const token = newToken();
    const rev = this.room.transact((tx) => {
      const tokens = tx["tallies"]?.get("room")?.["tokens"] as string | undefined;
      tx["tallies"]?.put("room", { tokens: tokens === undefined ? token : `${tokens} ${token}` });
    });
    stage.figures.count("acknowledged");
    const written = disk.ledger.tokens.get(token);
    if (written === undefined || rev <= written.from || rev > written.to)
      stage.fail(`the room's own edit ${token} was acknowledged at ${rev} and is not on disk there`);
  }
}

export function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
