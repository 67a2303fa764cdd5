import type { Caller } from "../src/model/call.ts";
import type { Limits } from "../src/room/limits.ts";
import type { JournalRow } from "../src/room/engine/journal-row.ts";
import { codes, type Code } from "../src/protocol/codes.ts";
import { decodeHello } from "../src/protocol/handshake/hello.ts";
import { journalSlots } from "../src/room/storage/journal.ts";
import { RoomServer } from "../src/room/room-server.ts";
import type { TurnedAway } from "../src/room/sessions/admission.ts";
import type { RoomPorts, RoomRules } from "../src/room/room-ports.ts";
import type { Attachment, Session, Socket } from "../src/room/sessions/session.ts";
import type { AnyRoomDefinition } from "../src/schema/definition.ts";
import type { SimulatedClock } from "./clock.ts";
import { MemoryStorage } from "./memory-storage.ts";
import type { Link, RoomEnd } from "./network.ts";

/** A timer of the room that is set for no longer is about what has just happened; longer ones are its housekeeping. */
export const promptMs = 250;

/** What a room is made of, and who wants to know what it does. */
export interface HostOptions {
  readonly definition: AnyRoomDefinition;
  readonly limits: Limits;
  readonly rules: RoomRules;
  readonly clock: SimulatedClock;
  /** A message is about to be handled. */
  readonly arrived: (client: Caller, raw: string | Uint8Array) => void;
  /** A flush is on disk. */
  readonly flushed: (row: JournalRow) => void;
  /** The room has noted something that an operator should know. */
  readonly logged: RoomPorts["log"];
  /** The room has thrown, in what the platform has called. */
  readonly failed: (error: unknown) => void;
  readonly woken: () => void;
}

/** The room between two of its evictions: its memory, and the sessions that it has. */
class Instance {
  readonly room: RoomServer;
  readonly sessions = new Map<Link, Session>();
  isEnded = false;

  constructor(makeRoom: (self: Instance) => RoomServer) {
    this.room = makeRoom(this);
  }
}

/** A storage that tells of every flush. */
class ToldStorage extends MemoryStorage {
  readonly #flushed: (row: JournalRow) => void;

  constructor(slots: number, flushed: (row: JournalRow) => void) {
    super(slots);
    this.#flushed = flushed;
  }

  override append(row: JournalRow, checkpoints: number): void {
    super.append(row, checkpoints);
    this.#flushed(row);
  }
}

/** The platform around a room: wakes it, keeps its sockets and its storage while it sleeps, and loses what a crash does. */
export class Host implements RoomEnd {
  readonly #options: HostOptions;
  readonly #storage: MemoryStorage;
  readonly #links = new Set<Link>();
  #instance: Instance | undefined;
  #epochs = 0;
  #cancelAlarm = () => {};

  constructor(options: HostOptions) {
    this.#options = options;
    this.#storage = new ToldStorage(journalSlots(options.limits), options.flushed);
  }

  /** Awake; throws what waking throws. */
  get room(): RoomServer {
    return this.#awake.room;
  }

  accept(link: Link): void {
    const { network } = link;
    network.refusedWith = network.refusal;
    if (network.refusal !== undefined) return link.closeByRoom(network.refusal);
    const hello = decodeHello(link.protocols);
    link.open();
    this.#links.add(link);
    const joined = this.#guard((): Session | TurnedAway => {
      const instance = this.#awake;
      if (hello === undefined) return { code: "invalid" };
      return instance.room.join(() => this.#socketOf(link, instance), hello, network.identity);
    });
    if (joined === undefined) return link.break(true);
    if (!("code" in joined)) return void this.#awake.sessions.set(link, joined);
    network.refusedWith = joined.code;
    this.#links.delete(link);
    link.closeByRoom(joined.code);
  }

  message(link: Link, raw: string | Uint8Array): void {
    this.#guard(() => {
      const { room, sessions } = this.#awake;
      const session = sessions.get(link);
      if (session === undefined) return;
      this.#options.arrived(session.client, raw);
      room.receive(session, raw);
    });
  }

  gone(link: Link): void {
    link.isOpenAtRoom = false;
    if (!this.#links.has(link)) return;
    this.#guard(() => {
      const { room, sessions } = this.#awake; // with its session, as long as the link is one of ours
      const session = sessions.get(link);
      this.#links.delete(link);
      sessions.delete(link);
      if (session !== undefined) room.leave(session);
    });
  }

  /** Has the room sleep: its memory is gone, its sockets stay, and the next that happens wakes it. */
  evict(): void {
    const instance = this.#instance;
    if (instance === undefined) return;
    instance.room.flush(); // a room with something to write or to tell is not put to sleep
    instance.isEnded = true;
    this.#instance = undefined;
  }

  /** Ends the room where it is: what it has not flushed is lost, and so are the sockets. */
  crash(): void {
    if (this.#instance !== undefined) this.#instance.isEnded = true;
    this.#instance = undefined;
    const links = [...this.#links];
    this.#links.clear();
    for (const link of links) {
      link.isOpenAtRoom = false;
      link.break(false);
    }
  }

  get #awake(): Instance {
    return (this.#instance ??= this.#wake());
  }

  #wake(): Instance {
    const { definition, limits, rules, woken } = this.#options;
    const instance = new Instance((self) => new RoomServer(definition, limits, rules, this.#ports(self)));
    this.#instance = instance; // what the app does when it is told of that must not wake another
    woken();
    for (const link of this.#links) {
      if (link.attachment === undefined) continue;
      const session = instance.room.restore(this.#socketOf(link, instance), link.attachment);
      if (session !== undefined) instance.sessions.set(link, session);
    }
    return instance;
  }

  #ports(instance: Instance): RoomPorts {
    const { clock, logged } = this.#options;
    return {
      storage: this.#storage,
      now: () => clock.now,
      setTimer: (run, delayMs) =>
        clock.after(
          delayMs,
          () => {
            if (!instance.isEnded) run();
          },
          () => delayMs <= promptMs && !instance.isEnded,
        ),
      newEpoch: () => `epoch-${++this.#epochs}`,
      deflate: (bytes) => Promise.resolve(bytes), // clients of a test take parts as they are
      setAlarm: (at) => this.#setAlarm(at),
      abort: () => this.crash(), // of the storage nobody else knows, so that it is this very instance
      log: (event, facts) => {
        if (!instance.isEnded) logged(event, facts);
      },
    };
  }

  /** As the platform has it: there is one, it outlives the instance, and it wakes the room. */
  #setAlarm(at: number): void {
    const { clock } = this.#options;
    this.#cancelAlarm();
    this.#cancelAlarm = clock.after(at - clock.now, () => {
      this.#guard(() => this.room.alarm());
    });
  }

  #socketOf(link: Link, instance: Instance): Socket {
    return {
      send: (frame) => {
        if (!instance.isEnded && link.isOpenAtRoom) link.sendDown(frame);
      },
      close: (closeCode) => {
        if (instance.isEnded) return;
        link.attachment = undefined;
        link.closeByRoom(codeOf(closeCode));
      },
      pingedAt: () => link.pingedAt,
      save: (attachment) => {
        // As the platform has it: the room and what it has saved have nothing in common.
        if (!instance.isEnded) link.attachment = JSON.parse(JSON.stringify(attachment)) as Attachment;
      },
    };
  }

  /** Runs what the platform calls. Undefined when it has thrown. */
  #guard<T>(run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      this.#options.failed(error);
      return undefined;
    }
  }
}

function codeOf(closeCode: number): Code {
  const names = Object.keys(codes) as Code[];
  return names.find((code) => codes[code].closeCode === closeCode) ?? "internal";
}
