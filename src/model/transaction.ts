import type { $ZodType } from "zod/v4/core";
import type { AnyRoomDefinition } from "../schema/definition.ts";
import type { Json } from "../schema/json.ts";
import { Rejection } from "../schema/rejection.ts";
import {
  applyChange,
  deletion,
  partitionOf,
  squashChange,
  type Change,
  type Changes,
  type WireChange,
} from "./changes.ts";
import { recordIdProblem } from "./ids.ts";
import { bytesOver, equalJson, type Fields } from "./json.ts";
import { parseWith, tooLarge } from "./parse.ts";
import type { PayloadLimits } from "./call-limits.ts";
import { changedFields } from "./plain-schema.ts";
import { mergeIds, type RecordSource } from "./state.ts";

export interface TransactionOptions {
  readonly definition: AnyRoomDefinition;
  readonly limits: Pick<PayloadLimits, "maxRecordBytes" | "maxIdLength">;
  /** Answers `tx.<collection>.changedByOthers`; a prediction has nobody else in it. */
  readonly changedByOthers?: (collection: string, id: string) => boolean;
  /** In place of `bytesOver`, for a record that was made of `before`. */
  readonly measure?: (record: Fields, maxBytes: number, before?: Fields) => number | undefined;
  /** Called with each record that was checked whole, which costs in proportion to the record. */
  readonly checked?: (record: Fields) => void;
  /** Called with each record that a mutator reads. */
  readonly shown?: (record: Fields | undefined) => void;
  /** Returns a refusal about one record as its caller may read it, who may not be shown the record. */
  readonly withoutHidden?: (rejection: Rejection, collection: string, id: string) => Rejection;
}

/** What a transaction has done to one record. */
export interface Write {
  readonly change: Change;
  /** The record as it is now; undefined for one that was deleted. */
  readonly record: Fields | undefined;
  /** The room has done it, to keep an order: nobody has changed the record. */
  readonly isRepair?: true;
}

/** Collection → record id → write, in the order in which the records were first touched. */
export type Writes = Map<string, Map<string, Write>>;

export function changesOf(writes: Writes): Changes {
  const changes: Changes = new Map();
  for (const [collection, records] of writes) {
    const partition = partitionOf(changes, collection);
    for (const [id, { change }] of records) partition.set(id, change);
  }
  return changes;
}

const nothing = Object.freeze([]);

/** The `tx` of a mutator, one member a collection. Typed by the schema package; here it is only its shape. */
export type Tx = { readonly [collection: string]: CollectionTransaction };

/**
 * Reads that see the transaction's own writes, over a source that it never touches: what was written is in
 * `writes`, and an abandoned transaction has done nothing.
 */
export class Transaction implements RecordSource {
  readonly writes: Writes = new Map();
  readonly options: TransactionOptions;
  /** Collections that may be written; all of them when left out. */
  readonly writable: readonly string[] | undefined;
  readonly #source: RecordSource;
  #tx: Tx | undefined;
  #open = true;

  constructor(source: RecordSource, options: TransactionOptions, writable?: readonly string[]) {
    this.#source = source;
    this.options = options;
    this.writable = writable;
  }

  /** What a mutator is given. */
  get tx(): Tx {
    if (this.#tx === undefined) {
      const tx: Record<string, CollectionTransaction> = {};
      for (const name of Object.keys(this.options.definition.collections)) {
        tx[name] = this.collection(name) as CollectionTransaction;
      }
      this.#tx = Object.freeze(tx);
    }
    return this.#tx;
  }

  /** Undefined for a name that the definition does not have. */
  collection(name: string): CollectionTransaction | undefined {
    const schema = this.options.definition.collections[name];
    return schema === undefined ? undefined : new CollectionTransaction(this, name, schema);
  }

  /** From here on the `tx` throws: a mutator that kept it for later would write into nothing. */
  close(): void {
    this.#open = false;
  }

  get(collection: string, id: string): Fields | undefined {
    this.#assertOpen();
    const write = this.writes.get(collection)?.get(id);
    return write === undefined ? this.#source.get(collection, id) : write.record;
  }

  ids(collection: string, by?: string): readonly string[] {
    this.#assertOpen();
    const partition = this.writes.get(collection);
    if (partition === undefined) return this.#source.ids(collection, by);
    const written = new Map(Array.from(partition, ([id, { record }]) => [id, record] as const));
    return mergeIds(this.#source, collection, written, by);
  }

  write(collection: string, id: string, change: Change, record: Fields | undefined): void {
    this.#assertOpen();
    const partition = partitionOf(this.writes, collection);
    partition.set(id, { change: squashChange(partition.get(id)?.change, change), record });
  }

  #assertOpen(): void {
    if (!this.#open) throw new Error("this transaction is over: a mutator may use tx only while it runs");
  }
}

/** One collection within a transaction. What its methods promise is documented at the types in `src/schema`. */
export class CollectionTransaction {
  readonly #transaction: Transaction;
  readonly #name: string;
  readonly #schema: $ZodType;

  constructor(transaction: Transaction, name: string, schema: $ZodType) {
    this.#transaction = transaction;
    this.#name = name;
    this.#schema = schema;
  }

  get(id: string): Fields | undefined {
    const record = this.#find(id);
    this.#transaction.options.shown?.(record);
    return record;
  }

  has(id: string): boolean {
    return this.#find(id) !== undefined;
  }

  ids(by?: string): readonly string[] {
    return this.#transaction.ids(this.#name, by);
  }

  values(by?: string): readonly Fields[] {
    return this.ids(by).map((id) => this.get(id) as Fields);
  }

  entries(by?: string): readonly (readonly [string, Fields])[] {
    return this.ids(by).map((id) => [id, this.get(id) as Fields] as const);
  }

  get size(): number {
    return this.ids().length;
  }

  put(id: string, record: unknown): void {
    this.#assertWritable(id);
    const checked = this.#check(id, record);
    if (equalJson(this.#find(id), checked)) return;
    this.#transaction.write(this.#name, id, { kind: "put", record: checked }, checked);
  }

  patch(id: string, fields: object): void {
    this.#merge(id, fields, nothing);
  }

  unset(id: string, field: string): void {
    this.#merge(id, {}, [field]);
  }

  delete(id: string): void {
    this.#assertWritable(id);
    if (this.has(id)) this.#transaction.write(this.#name, id, deletion, undefined);
  }

  /** Does what a direct edit says of a record. */
  apply(change: WireChange): void {
    const id = change[1];
    switch (change[0]) {
      case "put":
        return this.put(id, change[2]);
      case "patch":
        return this.#merge(id, change[2], change[3] ?? nothing);
      case "delete":
        return this.delete(id);
      default:
        return change satisfies never;
    }
  }

  changedByOthers(id: string): boolean {
    return this.#transaction.options.changedByOthers?.(this.#name, id) ?? false;
  }

  /** Sets and removes in one: only what that leaves has to fit the schema, so the order of a squashed edit is no matter. */
  #merge(id: string, fields: object, removed: readonly string[]): void {
    this.#assertWritable(id);
    const before = this.#existing(id);
    // A field that is not there need not be removed.
    const unset = [...new Set(removed)].filter((field) => Object.hasOwn(before, field));
    const set = changedFields(this.#schema, fields, before, removed, unset);
    if (set === undefined) return this.#mergeWhole(id, before, fields, removed, unset);
    this.#writePatch(id, before, set, unset);
  }

  /** Checks the record that comes of it whole, as its schema may say something of several fields together. */
  #mergeWhole(
    id: string,
    before: Fields,
    fields: object,
    removed: readonly string[],
    unset: readonly string[],
  ): void {
    const given = Object.entries(fields).filter(([, value]) => value !== undefined);
    const merged: Record<string, unknown> = { ...before, ...Object.fromEntries(given) };
    for (const field of removed) delete merged[field];
    const checked = this.#check(id, merged);
    const refilled = unset.find((field) => Object.hasOwn(checked, field));
    if (refilled !== undefined) {
      throw this.#about(
        id,
        new Rejection(
          "invalid",
          `${this.#name} records have a default for ${refilled}: it cannot be removed`,
        ),
      );
    }
    const set: Record<string, Json> = {};
    for (const [field] of given) {
      const value = Object.hasOwn(checked, field) ? checked[field] : undefined;
      if (value !== undefined && !equalJson(before[field], value)) set[field] = value;
    }
    this.#writePatch(id, before, set, unset);
  }

  #writePatch(id: string, before: Fields, set: Record<string, Json>, unset: readonly string[]): void {
    if (Object.keys(set).length === 0 && unset.length === 0) return;
    const change: Change = { kind: "patch", set: Object.freeze(set), unset };
    const record = applyChange(before, change) as Fields;
    this.#assertSize(id, record, before);
    this.#transaction.write(this.#name, id, change, record);
  }

  #find(id: string): Fields | undefined {
    return this.#transaction.get(this.#name, id);
  }

  #existing(id: string): Fields {
    const record = this.#find(id);
    if (record === undefined)
      throw this.#about(id, new Rejection("not-found", `there is no ${this.#name} record ${id}`, { id }));
    return record;
  }

  #assertWritable(id: string): void {
    const { writable } = this.#transaction;
    if (writable !== undefined && !writable.includes(this.#name)) {
      throw new Rejection("forbidden", `${this.#name} is not direct: change it through a mutator`);
    }
    const problem = recordIdProblem(id, this.#transaction.options.limits.maxIdLength);
    if (problem !== undefined) throw new Rejection("invalid", `record id ${problem}`);
  }

  /** The record as its schema reads it, as frozen JSON. */
  #check(id: string, record: unknown): Fields {
    let parsed: Fields;
    try {
      parsed = parseWith(this.#schema, record, `${this.#name} record ${id}`) as Fields;
    } catch (error) {
      throw error instanceof Rejection ? this.#about(id, error) : error;
    }
    this.#transaction.options.checked?.(parsed);
    this.#assertSize(id, parsed);
    return parsed;
  }

  #assertSize(id: string, record: Fields, before?: Fields): void {
    const { limits, measure = bytesOver } = this.#transaction.options;
    const { maxRecordBytes } = limits;
    const bytes = measure(record, maxRecordBytes, before);
    if (bytes !== undefined)
      throw this.#about(id, tooLarge(`${this.#name} record ${id}`, bytes, maxRecordBytes));
  }

  #about(id: string, rejection: Rejection): Rejection {
    return this.#transaction.options.withoutHidden?.(rejection, this.#name, id) ?? rejection;
  }
}
