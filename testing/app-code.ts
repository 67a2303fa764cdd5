import type { Run } from "../src/model/call.ts";
import type { Authorize } from "../src/room/engine/authorization.ts";
import type { Limits } from "../src/room/limits.ts";
import type { Operation } from "../src/room/engine/batch.ts";
import { clientOf, type Client, type RoomObjectOptions } from "../src/durable-object/room-options.ts";
import type { RoomRules } from "../src/room/room-ports.ts";
import type { AnyRoomDefinition } from "../src/schema/definition.ts";
import { isPromise } from "../src/schema/promise.ts";
import { Rejection } from "../src/schema/rejection.ts";
import type { CallLog } from "./call-log.ts";
import { checkedDefinition, type CheckedRun } from "./mutator-check.ts";

/** The options of a test room that are code of the app. Its hooks are called with a `Room`. */
export type AppOptions<D extends AnyRoomDefinition, Room> = RoomObjectOptions<D> & {
  readonly onJoin?: (client: Client<D>, room: Room) => void;
  readonly onLeave?: (client: Client<D>, room: Room) => void;
  readonly onCommit?: (operation: Operation, room: Room) => void;
  readonly checksMutators?: boolean;
};

/** Who is told of what the app's code does. */
interface AppCodeListener {
  readonly log: CallLog;
  readonly report: (error: unknown, what: string) => void;
  /** The state is another now. */
  readonly flushed: () => void;
}

/** The app's own code as a test room runs it: the same, but that whatever it throws is seen. */
export class AppCode<D extends AnyRoomDefinition, Room> {
  readonly definition: AnyRoomDefinition;
  readonly rules: RoomRules;
  /** Whether hooks are told: not while a room is filled. */
  hasHooks = false;
  readonly #room: Room;
  readonly #listener: AppCodeListener;
  /** By the mutator that is to blame. */
  readonly #faults = new Map<string, Error>();
  /** Something was thrown and told, which the room is about to log once more. */
  #isTold = false;

  constructor(
    definition: D,
    limits: Limits,
    options: AppOptions<D, Room>,
    room: Room,
    listener: AppCodeListener,
  ) {
    this.#room = room;
    this.#listener = listener;
    const { checksMutators = true } = options;
    this.definition = checkedDefinition(definition, { limits }, checksMutators, (run) => this.#ran(run));
    const { authorize, visibleTo, mutators = {} } = options;
    // The types pair each name with its payload; at run time they are functions by name.
    const serverMutators = Object.entries(mutators as { readonly [name: string]: unknown }).map(
      ([type, run]) => [type, this.#heardRun(type, run as Run)] as const,
    );
    const onJoin = this.#heardHook("onJoin", options.onJoin);
    const onLeave = this.#heardHook("onLeave", options.onLeave);
    this.rules = {
      serverMutators: Object.fromEntries(serverMutators),
      ...(authorize && { authorize: this.#heardAuthorize(authorize) }),
      ...(visibleTo && { visibleTo }),
      onJoin: (client) => onJoin(clientOf<D>(client)),
      onLeave: (client) => onLeave(clientOf<D>(client)),
      onFlush: listener.flushed,
      onCommit: this.#heardHook("onCommit", options.onCommit),
    };
  }

  /** Throws what was found out about a mutator and nobody was thrown yet. */
  throwFault(): void {
    for (const [type, fault] of this.#faults) {
      this.#faults.delete(type);
      throw fault;
    }
  }

  /** What the room logs. Of an error that is no more than its text, so those of the app were told before. */
  logged(event: string, facts: { readonly [name: string]: unknown }): void {
    const isTold = this.#isTold && (event === "mutator-failed" || event === "hook-failed");
    this.#isTold = false;
    if (!isTold) this.#listener.report(facts, `the room logs ${event}`);
  }

  #heardRun(type: string, run: Run): Run {
    return (tx, payload, ctx) => {
      const { clientId } = ctx as { readonly clientId: string };
      const told = { type, clientId, payload, prediction: undefined, problem: undefined };
      try {
        const result = run(tx, payload, ctx);
        this.#ran({ ...told, thrown: undefined });
        return result;
      } catch (error) {
        this.#ran({ ...told, thrown: error instanceof Rejection ? undefined : { error } });
        throw error;
      }
    };
  }

  #heardAuthorize(authorize: Authorize): Authorize {
    const { log } = this.#listener;
    return (operation, caller) => {
      log.judged(caller.clientId, operation.type);
      try {
        return authorize(operation, caller);
      } catch (error) {
        if (!(error instanceof Rejection)) {
          log.threw(error);
          this.#threw(error, `authorize has thrown, asked about ${operation.type}`);
        }
        throw error;
      }
    };
  }

  #heardHook<T>(name: string, hook: ((told: T, room: Room) => unknown) | undefined): (told: T) => unknown {
    return (told) => {
      try {
        const returned: unknown = this.hasHooks ? hook?.(told, this.#room) : undefined;
        if (isPromise(returned, (error) => this.#listener.report(error, `${name} was rejected`)))
          return undefined;
        return returned;
      } catch (error) {
        this.#threw(error, `${name} has thrown`);
        throw error;
      }
    };
  }

  #ran(run: CheckedRun): void {
    const { type, thrown, problem } = run;
    this.#listener.log.ran(run);
    if (thrown !== undefined) this.#threw(thrown.error, `${type} has thrown in the room`);
    if (problem === undefined) return;
    const fault = new Error(
      `the mutator ${type} does not do the same each time: run twice over the same state with the same payload, ${problem}. ` +
        "What it does may depend on state, payload and context alone: ids, dice and order keys belong into the payload, and ctx.now is the time.",
    );
    if (!this.#faults.has(type)) this.#listener.report(fault, "a mutator is not deterministic");
    this.#faults.set(type, fault);
  }

  #threw(error: unknown, what: string): void {
    this.#isTold = true;
    this.#listener.report(error, what);
  }
}
