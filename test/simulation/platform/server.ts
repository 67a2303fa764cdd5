import { wake } from "../../../src/room/storage/room-state.ts";
import { Partitions } from "../../../src/room/visibility/partitions.ts";
import { codes } from "../../../src/protocol/codes.ts";
import { decodeHello } from "../../../src/protocol/handshake/hello.ts";
import { journalSlots } from "../../../src/room/storage/journal.ts";
import { pongText } from "../../../src/protocol/version.ts";
import { Disk, type Backup } from "./disk.ts";
import type { Raw } from "../client/sent-frames.ts";
import { Instance, textOf, type Surroundings } from "./instance.ts";
import { stateProblems, type DiskState } from "../judges/state-check.ts";
import type { Stage } from "../stage.ts";
import { SessionJudge } from "../judges/session-judge.ts";
import type { RoomEnd, Wire } from "./wire.ts";

/** The platform around the room: wakes instances, keeps sockets over their end, and loses both when it has to. */
export class Server implements RoomEnd {
  readonly disk: Disk;
  /** How wrong the room's clock is, in milliseconds. */
  skewMs = 0;
  readonly #stage: Stage;
  readonly #surroundings: Surroundings;
  readonly #wires = new Set<Wire>();
  /** Whose memory has the session; wires of nobody are asleep. */
  readonly #owners = new Map<Wire, Instance>();
  /** Those that serve, the superseded as well. */
  readonly #instances = new Set<Instance>();
  #current: Instance | undefined;
  #instancesEver = 0;
  #epochs = 0;
  #tokens = 0;
  /** Disk was put back to an earlier point, and the room has not begun another epoch since. */
  #isRestored = false;
  #cancelAlarm: () => void = () => {};

  constructor(stage: Stage) {
    this.#stage = stage;
    this.disk = new Disk(stage, journalSlots(stage.plan.limits));
    this.#surroundings = {
      stage,
      disk: this.disk,
      sessionJudge: new SessionJudge(stage, this.disk),
      skewMs: () => this.skewMs,
      setAlarm: (instance, at) => {
        // Of an instance that was superseded it would be refused.
        if (instance === this.#current || this.#current === undefined) this.#setAlarm(at - this.#now);
      },
      newEpoch: () => `epoch-${++this.#epochs}`,
      newToken: () => `r${++this.#tokens}`,
      ended: (instance, why) => this.#ended(instance, why),
    };
  }

  /** The instance that new events reach; undefined when none can wake. */
  get instance(): Instance | undefined {
    return (this.#current ??= this.#wake());
  }

  /** The wires of which the platform has the room's end. */
  get wires(): Iterable<Wire> {
    return this.#wires;
  }

  // ── what the platform is told ──────────────────────────────────────────────────────────────────────────────

  accept(wire: Wire): void {
    const { instance } = this;
    const hello = decodeHello(wire.protocols);
    if (hello === undefined) return this.#stage.fail(`${wire.name} brings no hello`);
    if (instance === undefined) return wire.cut(0, undefined);
    wire.open();
    this.#wires.add(wire);
    this.#owners.set(wire, instance);
    const joined = instance.join(wire, (socket) =>
      instance.room.join(() => socket, hello, wire.page.identity),
    );
    this.#stage.note(
      instance.name,
      "joined by",
      wire.name,
      joined !== undefined && "code" in joined ? joined.code : "",
    );
    if (joined === undefined) {
      // The request has failed, if the instance is still there.
      this.#forget(wire);
      wire.cut(0, undefined);
    } else if ("code" in joined) {
      this.#forget(wire);
      wire.closeByRoom(codes[joined.code].closeCode, joined.code);
    }
  }

  message(wire: Wire, raw: Raw): void {
    const instance = this.#ownerOf(wire);
    const session = instance?.sessions.get(wire);
    if (instance === undefined || session === undefined) return;
    this.#surroundings.sessionJudge.acknowledged(wire, raw);
    instance.guard("receive", () => instance.room.receive(session, raw));
  }

  /** Answered without waking the room. */
  ping(wire: Wire): void {
    wire.pingedAt = this.#now;
    wire.sendDown(pongText);
  }

  gone(wire: Wire): void {
    if (!this.#wires.has(wire)) return;
    const owner = this.#owners.get(wire);
    const { attachment } = wire;
    this.#forget(wire);
    // A socket whose closing wakes the room does not come back with the others.
    const instance = owner ?? this.instance;
    if (instance === undefined) return;
    const session =
      instance.sessions.get(wire) ?? (attachment && !owner ? instance.restore(wire, attachment) : undefined);
    instance.sessions.delete(wire);
    if (session !== undefined) instance.guard("leave", () => instance.room.leave(session));
  }

  // ── what happens to it ─────────────────────────────────────────────────────────────────────────────────────

  /** Drops the memory of an idle room; its sockets sleep. A room with something to write or to tell is not idle. */
  evict(): void {
    const instance = this.#current;
    // What another instance writes or has written meanwhile, sleeping sockets would miss.
    if (this.#instances.size > 1 || this.disk.newest !== this.#current) return;
    if (instance === undefined || instance.guard("flush", () => instance.room.flush()) !== true) return;
    if (instance.isEnded) return;
    this.#stage.note(instance.name, "is evicted");
    instance.isEnded = true;
    this.#retire(instance);
    this.#stage.figures.count("evictions");
  }

  /** The process dies. */
  crash(): void {
    this.#current?.end("crash");
  }

  /** New events reach another instance, while this one goes on with the sockets that it has. */
  supersede(): void {
    if (this.#current === undefined) return;
    this.#stage.note(this.#current.name, "is superseded");
    this.#current = undefined;
    this.#stage.figures.count("instances superseded");
  }

  /** Puts the disk back. The room begins another epoch before it serves, when it `isTold`. */
  restore(backup: Backup, isTold = true): void {
    for (const instance of this.#instances) instance.end("restore");
    this.disk.restore(backup);
    this.#isRestored ||= isTold;
    this.#stage.figures.count("restores");
  }

  /** Ends all instances but one that has all that is written. Nobody tells the room of sockets whose page has gone. */
  mend(): void {
    this.disk.failing.clear();
    this.disk.crash = undefined;
    for (const instance of this.#instances)
      if (instance !== this.#current || instance !== this.disk.newest) instance.end("at last");
    if (this.#isRestored) void this.instance; // nobody else may wake it, but an operator does
  }

  // ── looking at it ──────────────────────────────────────────────────────────────────────────────────────────

  /** What another instance would know, from the same disk. */
  readDisk(): DiskState | undefined {
    try {
      const { board, plan } = this.#stage;
      const partitions = new Partitions(board.private);
      const roomState = wake(this.disk.copy(), plan.limits, () => "another epoch", partitions);
      for (const problem of stateProblems(roomState, this.disk.ledger))
        this.#stage.fail(`on disk ${problem}`);
      return roomState;
    } catch (error) {
      this.#stage.fail(`the room cannot wake: ${textOf(error)}`);
      return undefined;
    }
  }

  // ── instances ──────────────────────────────────────────────────────────────────────────────────────────────

  get #now(): number {
    return this.#stage.clock.now + this.skewMs;
  }

  /** The alarm is in storage: it comes to whatever instance there is then, and again when that failed. */
  #setAlarm(delayMs: number): void {
    this.#cancelAlarm();
    this.#cancelAlarm = this.#stage.clock.after(delayMs, () => {
      const { instance } = this;
      this.#stage.figures.count("alarms");
      const isDone = instance?.guard("alarm", () => {
        instance.room.alarm();
        return true;
      });
      if (isDone !== true) this.#setAlarm(2_000);
    });
  }

  #ownerOf(wire: Wire): Instance | undefined {
    const owner = this.#owners.get(wire);
    if (owner !== undefined) return owner;
    void this.instance; // wakes, and takes the sockets back that are asleep
    return this.#owners.get(wire);
  }

  #wake(): Instance | undefined {
    const instance = this.#construct();
    if (instance === undefined || (this.#isRestored && !this.#renew(instance))) {
      for (const wire of [...this.#wires].filter((one) => !this.#owners.has(one))) this.#lose(wire);
      return undefined;
    }
    for (const wire of this.#wires) {
      if (this.#owners.has(wire) || wire.attachment === undefined) continue;
      this.#owners.set(wire, instance);
      instance.restore(wire, wire.attachment);
    }
    return instance.isEnded ? undefined : instance;
  }

  #construct(): Instance | undefined {
    const name = `instance-${++this.#instancesEver}`;
    try {
      const instance = new Instance(name, this.#surroundings);
      this.#instances.add(instance);
      this.#stage.note(name, "wakes");
      this.#stage.figures.count("wakes");
      return instance;
    } catch (error) {
      if (this.disk.failing.size === 0) this.#stage.fail(`the room does not wake: ${textOf(error)}`);
      return undefined;
    }
  }

  /** As an operator has to after a restore. */
  #renew(instance: Instance): boolean {
    const hasRenewed = instance.guard("renewEpoch", () => {
      instance.room.renewEpoch();
      return true;
    });
    if (hasRenewed !== true) instance.end("its epoch could not be renewed");
    if (instance.isEnded) return false;
    this.#isRestored = false;
    return true;
  }

  #ended(instance: Instance, why: string): void {
    for (const [wire, owner] of this.#owners) if (owner === instance) this.#lose(wire);
    this.#retire(instance);
    this.#stage.figures.count(why.startsWith("abort") ? "aborts" : "crashes");
    this.readDisk();
  }

  #retire(instance: Instance): void {
    for (const [wire, owner] of this.#owners) if (owner === instance) this.#owners.delete(wire);
    this.#instances.delete(instance);
    if (this.#current === instance) this.#current = undefined;
  }

  /** A socket goes with its instance. What is on its way down may still come; the page hears of it soon, or by silence. */
  #lose(wire: Wire): void {
    const { dice } = this.#stage;
    this.#forget(wire);
    wire.cut(dice.chance(0.9) ? dice.between(0, 300) : undefined, undefined);
  }

  #forget(wire: Wire): void {
    this.#wires.delete(wire);
    this.#owners.delete(wire);
    wire.isOpenAtRoom = false;
  }
}
