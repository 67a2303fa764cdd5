import type { $ZodType } from "zod/v4/core";
import type { Dice } from "../simulation/dice.ts";

/** What a schema is made of, as zod and zod/mini keep it; the type of any schema does not say so. */
interface Definition {
  readonly type: string;
  readonly shape?: { readonly [name: string]: $ZodType };
  readonly element?: $ZodType;
  readonly items?: readonly $ZodType[];
  readonly innerType?: $ZodType;
  readonly options?: readonly $ZodType[];
  readonly values?: readonly unknown[];
  readonly entries?: { readonly [name: string]: string };
}

const ids = ["a", "b", "c", "thing-1", "thing-2", "x".repeat(128)];
const oddTexts = [
  "",
  " ",
  "\0",
  "\u0001",
  "\n",
  '"',
  "\\",
  "\ud800",
  "\udfff\ud800",
  "\ufeff",
  "\ufffd",
  "\u20ac",
  "\u{1f600}",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "then",
  "null",
  "undefined",
  "NaN",
  "things",
  "cards",
  "ledger",
  "transact",
  "take",
  "push",
  "../x",
  "%00",
  "a0",
  "a0V",
  "z".repeat(60),
  "x".repeat(129),
  "y".repeat(3_000),
  "\u20ac".repeat(200),
];
const oddNumbers = [
  0,
  -0,
  1,
  -1,
  2,
  0.5,
  -0.5,
  7,
  127,
  128,
  255,
  256,
  16511,
  16512,
  65536,
  2 ** 31,
  2 ** 32,
  -(2 ** 31),
  2 ** 53 - 1,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 53),
  1e21,
  1e300,
  5e-324,
  0.1,
  1.25,
  Number.MAX_VALUE,
];
/** Written where a value was: what no value can say. */
const oddJson = [
  "1e400",
  "-1e400",
  "-0",
  "-0.0e0",
  "1E5",
  "01",
  "NaN",
  "Infinity",
  "undefined",
  "0x10",
  "1_000",
  "'a'",
  '"\\ud800"',
  '"\\u0000"',
  '{"__proto__":{"isAdmin":true}}',
  '{"constructor":{"prototype":{"x":1}}}',
  '{"a":1,"a":2}',
  "[1,]",
  "{,}",
  "[[[[[[[[1]]]]]]]]",
  `${"[".repeat(40)}1${"]".repeat(40)}`,
  "/* */1",
  "\xA01",
];
const lastCallId = "\u0002odd";

/** Makes up what a client could send: after the grammar, and then a little beside it. */
export class Inventor {
  readonly dice: Dice;

  constructor(dice: Dice) {
    this.dice = dice;
  }

  /** A value that fits the schema, mostly. */
  fit(schema: $ZodType, depth = 0): unknown {
    const definition = schema._zod.def as unknown as Definition;
    const { dice } = this;
    const { shape, element, items = [], innerType, options = [], values = [], entries = {} } = definition;
    switch (definition.type) {
      case "object":
        return Object.fromEntries(
          Object.entries(shape ?? {}).flatMap(([name, member]) => {
            const value = this.fit(member, depth + 1);
            return value === undefined ? [] : [[name, value]];
          }),
        );
      case "array":
        return Array.from({ length: dice.between(0, 3) }, () => this.fit(element as $ZodType, depth + 1));
      case "tuple":
        return items.map((item) => this.fit(item, depth + 1));
      case "union":
        return this.fit(dice.pick(options), depth);
      case "optional":
        return dice.chance(0.5) ? undefined : this.fit(innerType as $ZodType, depth);
      case "nullable":
        return dice.chance(0.3) ? null : this.fit(innerType as $ZodType, depth);
      case "literal":
        return dice.pick(values);
      case "enum":
        return dice.pick(Object.values(entries));
      case "string":
        return this.text();
      case "number":
      case "int":
        return this.number();
      case "boolean":
        return dice.chance(0.5);
      case "null":
        return null;
      default:
        return this.json(depth);
    }
  }

  text(): string {
    return this.dice.chance(0.8) ? this.dice.pick(ids) : this.dice.pick(oddTexts);
  }

  number(): number {
    return this.dice.chance(0.7) ? this.dice.between(0, 5) : this.dice.pick(oddNumbers);
  }

  /** Of a member that nobody has asked for. */
  #key(): string {
    return this.dice.chance(0.2) ? this.dice.pick(["__proto__", "constructor", "prototype"]) : this.text();
  }

  /** Any JSON at all. */
  json(depth = 0): unknown {
    const { dice } = this;
    if (depth > 4 || dice.chance(0.5)) return dice.pick([null, true, false, this.text(), this.number()]);
    const length = dice.between(0, 3);
    if (dice.chance(0.5)) return Array.from({ length }, () => this.json(depth + 1));
    return this.#object(Array.from({ length }, () => [this.#key(), this.json(depth + 1)]));
  }

  /** A copy with something else in a place or two. */
  spoil(value: unknown): unknown {
    const { dice } = this;
    if (typeof value !== "object" || value === null || dice.chance(0.1)) return this.#other(value);
    if (Array.isArray(value)) {
      const items = [...(value as unknown[])];
      const at = dice.between(0, items.length);
      if (dice.chance(0.2))
        items.splice(
          at,
          dice.between(0, 2),
          ...Array.from({ length: dice.between(0, 2) }, () => this.json()),
        );
      else if (items.length > 0) items[at % items.length] = this.spoil(items[at % items.length]);
      return items;
    }
    const members = Object.entries(value as { [key: string]: unknown });
    if (members.length === 0 || dice.chance(0.15))
      return this.#object([...members, [this.#key(), this.json()]]);
    const at = dice.between(0, members.length - 1);
    const [key, member] = members[at] ?? ["", null];
    const way = dice.next();
    if (way < 0.1) members.splice(at, 1);
    else if (way < 0.2) members[at] = [this.#key(), member];
    else members[at] = [key, this.spoil(member)];
    return this.#object(members);
  }

  /** JSON text, now and then with what no value can say, or with a few characters of it changed. */
  write(value: unknown): string {
    const { dice } = this;
    let text = JSON.stringify(value) ?? "undefined";
    text = text.replaceAll(JSON.stringify(lastCallId), () => dice.pick(oddJson));
    if (!dice.chance(0.05)) return text;
    return String.fromCharCode(
      ...this.garble(Array.from(text.slice(0, 5_000), (character) => character.charCodeAt(0))),
    );
  }

  /** The bytes with some changed, taken away, said twice or put in between. */
  garble(bytes: readonly number[]): number[] {
    const { dice } = this;
    const garbled = [...bytes];
    for (let times = dice.between(1, 4); times > 0; times--) {
      const at = dice.between(0, garbled.length);
      switch (dice.between(0, 5)) {
        case 0:
          garbled[at % Math.max(1, garbled.length)] = this.#byte();
          break;
        case 1:
          garbled.splice(at, 0, this.#byte());
          break;
        case 2:
          garbled.splice(at, dice.between(1, 4));
          break;
        case 3:
          garbled.splice(at, 0, ...garbled.slice(at, at + dice.between(1, 8)));
          break;
        case 4:
          garbled[at % Math.max(1, garbled.length)] =
            ((garbled[at % Math.max(1, garbled.length)] ?? 0) ^ (1 << dice.between(0, 7))) & 0xff;
          break;
        default:
          garbled.length = at;
      }
    }
    return garbled;
  }

  #byte(): number {
    return this.dice.chance(0.5)
      ? this.dice.between(0, 255)
      : this.dice.pick([
          0, 1, 0x0f, 0x10, 0x17, 0x7f, 0x80, 0xbf, 0xc0, 0xe0, 0xe3, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xec,
          0xed, 0xff,
        ]);
  }

  #other(value: unknown): unknown {
    const { dice } = this;
    if (dice.chance(0.2)) return lastCallId;
    if (typeof value === "number" && dice.chance(0.6)) return this.number();
    if (typeof value === "string" && dice.chance(0.6)) return dice.pick(oddTexts);
    return this.json();
  }

  /** With `__proto__` as a member as any other, as `JSON.parse` has it. */
  #object(members: readonly (readonly [key: string, value: unknown])[]): object {
    const object = {};
    for (const [key, value] of members)
      Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
    return object;
  }
}
