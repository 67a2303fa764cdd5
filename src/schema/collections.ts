import type { $ZodObject, input, output } from "zod/v4/core";
import type { DeepReadonly, Json } from "./json.ts";
import type { OrderFieldsOf } from "./order-key.ts";

/** The collections of a room: the schema of its records, by the name of the collection. */
export interface CollectionSchemas {
  readonly [name: string]: $ZodObject;
}

/** A record of an unknown collection, as the core handles it. */
export interface AnyRecord {
  readonly [field: string]: Json | undefined;
}

/**
 * One collection, read. Records are frozen, and iteration is in order of id, or of the order field (`Order`) that is named:
 * of its keys, of the id between two that are equal, and those without a key last. It is the same on both sides.
 */
export interface CollectionReader<R, Order extends string = never> {
  /** The record; undefined when there is none. It is the same object until it changes. */
  get(id: string): R | undefined;
  /** Whether there is such a record. */
  has(id: string): boolean;
  /** The ids of all records, in order. Lists are frozen, and the same array until something in the collection changes. */
  ids(order?: Order): readonly string[];
  /** All records, in order. */
  values(order?: Order): readonly R[];
  /** All records with their ids, in order. */
  entries(order?: Order): readonly (readonly [id: string, record: R])[];
  /** The number of records. */
  readonly size: number;
}

/** One collection, read and written. `In` is what its schema accepts, `R` what a reader is given. */
export interface CollectionWriter<In, R, Order extends string = never> extends CollectionReader<R, Order> {
  /** Makes the record, or replaces it whole. */
  put(id: string, record: In): void;
  /** Replaces the fields named, each as a whole; `undefined` leaves a field alone. Rejects `not-found` when there is no such record. */
  patch(id: string, fields: PatchOf<In>): void;
  /** Removes an optional field. Rejects `not-found` when there is no such record. */
  unset(id: string, field: OptionalFieldOf<R>): void;
  /** Removes the record; no effect when there is none. */
  delete(id: string): void;
}

/** One collection as a mutator has it. */
export interface CollectionTx<In, R, Order extends string = never> extends CollectionWriter<In, R, Order> {
  /** Has somebody other than the caller changed the record after the revision that the caller saw? Always false in a prediction. */
  changedByOthers(id: string): boolean;
}

/** What `patch` takes: some of the fields. */
export type PatchOf<In> = { readonly [F in keyof In]?: In[F] | undefined };

/** The fields that a record may be without. */
export type OptionalFieldOf<R> = { [F in keyof R & string]-?: {} extends Pick<R, F> ? F : never }[keyof R &
  string];

/** A record of the schema `S` as it is read. */
export type RecordOfSchema<S extends $ZodObject> = DeepReadonly<output<S>>;

/** A record of the schema `S` as it is written. */
export type RecordInputOfSchema<S extends $ZodObject> = DeepReadonly<input<S>>;

/** The whole state, read. */
export type StateOfCollections<C extends CollectionSchemas> = {
  readonly [N in keyof C]: CollectionReader<RecordOfSchema<C[N]>>;
};

/** What a mutator is given as `tx`: every collection, read and written. */
export type TxOfCollections<C extends CollectionSchemas> = {
  readonly [N in keyof C]: CollectionTx<RecordInputOfSchema<C[N]>, RecordOfSchema<C[N]>, OrderFieldsOf<C[N]>>;
};

/** The `tx` of an unknown room, as the core hands it to a mutator. */
export interface AnyTx {
  readonly [collection: string]: CollectionTx<AnyRecord, AnyRecord>;
}
