import type { Caller, Outcome } from "../model/call.ts";
import { isRoomId, roomIdRule } from "../model/ids.ts";
import { copyJson } from "../model/json.ts";
import { remoteClientId } from "../room/engine/client-log/client-log.ts";
import type { AnyRoomDefinition, MutatorNamesOf, PayloadOf, UserOf } from "../schema/definition.ts";
import type { Json } from "../schema/json.ts";
import { RejectedError } from "../schema/rejected-error.ts";

/** The stub of a room made by `RoomObject`; as text, since types of recursive JSON do not survive Workers RPC. */
export interface RemoteStub {
  /** The id of the room, if the stub was made by one. */
  readonly name?: string | undefined;
  /** Makes a call, as `remote` writes it, and answers its outcome. */
  remoteCall(request: string): Promise<string>;
}

/** How a backend's call is made. */
export interface RemoteOptions<D extends AnyRoomDefinition> {
  /**
   * Names the call, 1 to 128 characters: made again under the same key it is answered the same and not executed;
   * another call, or another user's, under that key is rejected `id-conflict`. The room remembers as many keys as its limit
   * `maxRemoteClients` says.
   * Without a key each call is another.
   */
  readonly idempotencyKey?: string;
  /** On whose behalf: `ctx.user` of the mutator. */
  readonly user?: UserOf<D>;
}

/** A room as a backend has it: calls, exactly once by key, each answered when it is on disk. */
export interface RemoteRoom<D extends AnyRoomDefinition> {
  /** Each rejects with {@link RejectedError} when the room refuses the call. */
  readonly mutate: {
    readonly [M in MutatorNamesOf<D>]: (
      payload: PayloadOf<D, M>,
      options?: RemoteOptions<D>,
    ) => Promise<{ readonly rev: number }>;
  };
}

interface RemoteRequest {
  readonly type: string;
  readonly payload: Json;
  readonly key: string;
  readonly user: Json;
}

/**
 * Calls the mutators of a room from a Worker: `remote(env.ROOMS.getByName("lobby"), board).mutate.addTask({ … })`. A call rejects
 * with `RejectedError` when the room refuses it, with a RangeError for a key that is none, and with the platform's error when the
 * room cannot be reached: make it again with the same key. Throws `TypeError` if the stub's name is not a room id: no URL would name
 * that room, so that no client could ever see what the call has done.
 */
export function remote<D extends AnyRoomDefinition>(stub: RemoteStub, definition: D): RemoteRoom<D> {
  const { name } = stub;
  // A stub that has come over RPC has another stub for each member, also for those that are missing.
  if (typeof name === "string" && !isRoomId(name))
    throw new TypeError(`${JSON.stringify(name)} is no room id: ${roomIdRule}`);
  const mutate = Object.keys(definition.mutators).map((type) => {
    const call = async (
      given: unknown,
      { idempotencyKey, user = null }: { idempotencyKey?: string; user?: Json } = {},
    ) => {
      const payload = copyJson(given);
      if (idempotencyKey !== undefined && !isKey(idempotencyKey)) throw new RangeError(keyRule);
      const request: RemoteRequest = { type, payload, key: idempotencyKey ?? crypto.randomUUID(), user };
      const outcome = JSON.parse(await stub.remoteCall(JSON.stringify(request))) as Outcome;
      if (outcome.kind === "accepted") return { rev: outcome.rev };
      throw new RejectedError(outcome.code, outcome.message, outcome.data, { type, payload });
    };
    return [type, call] as const;
  });
  // The one seam between names that are only known at run time and the types of the definition.
  return { mutate: Object.fromEntries(mutate) } as unknown as RemoteRoom<D>;
}

/** The room's side: runs the request by `call` and answers its outcome. Each key is a client of its own with one call. */
export function answerRemote(
  request: string,
  call: (caller: Caller, type: string, payload: Json) => Outcome,
): string {
  const { type, payload, key, user } = JSON.parse(request) as RemoteRequest;
  if (!isKey(key))
    return JSON.stringify({ kind: "rejected", code: "invalid", message: keyRule } satisfies Outcome);
  return JSON.stringify(call({ clientId: remoteClientId(key), user, access: "write" }, type, payload));
}

const keyRule = "an idempotency key has 1 to 128 characters, each of them whole";

function isKey(key: string): boolean {
  return key.length >= 1 && key.length <= 128 && key.isWellFormed();
}
