import type { input } from "zod/v4/core";
import type { DeepReadonly, Json } from "./json.ts";
import type { MutatorSchemas } from "./mutator.ts";
import type { AnyRecord, CollectionReader, CollectionSchemas, StateOfCollections } from "./collections.ts";

/** A call, as the name of a mutator and its payload. */
export type UndoCall<Mutators extends MutatorSchemas> = {
  [M in keyof Mutators & string]: readonly [mutator: M, payload: DeepReadonly<input<Mutators[M]["payload"]>>];
}[keyof Mutators & string];

/** Who makes a call, as its undo rule is told. */
export interface UndoCaller<User> {
  /** The public id of the client. */
  readonly clientId: string;
  /** The person, as `authenticate` said; null when nobody was named. */
  readonly user: User | null;
}

/**
 * By mutator: the call that takes one back. A rule is asked on the client before the call is made, with the payload of
 * the call, the state as it was shown, and who makes it; it changes nothing. Undefined: this call cannot be taken back.
 */
export type UndoRules<Collections extends CollectionSchemas, User, Mutators extends MutatorSchemas> = {
  readonly [M in keyof Mutators]?: (
    payload: DeepReadonly<input<Mutators[M]["payload"]>>,
    state: StateOfCollections<Collections>,
    caller: UndoCaller<User>,
  ) => UndoCall<Mutators> | undefined;
};

/** The rules of an unknown room, as the client asks them. */
export interface AnyUndoRules {
  readonly [mutator: string]: (
    payload: Json,
    state: { readonly [collection: string]: CollectionReader<AnyRecord> },
    caller: UndoCaller<unknown>,
  ) => readonly [mutator: string, payload: unknown] | undefined;
}
