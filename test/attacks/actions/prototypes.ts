/** What everything inherits from, and what a key from outside may reach. */
const constructors: readonly { readonly prototype: object }[] = [
  Object,
  Array,
  Function,
  String,
  Number,
  Boolean,
  Symbol,
  Error,
  Date,
  Map,
  Set,
  Promise,
  Uint8Array,
];
const builtIns: readonly object[] = [Object, ...constructors.map(({ prototype }) => prototype)];

type Snapshot = readonly (readonly [owner: object, key: PropertyKey, held: unknown])[];

function snapshot(): Snapshot {
  return builtIns.flatMap((owner) =>
    Reflect.ownKeys(owner).map((key) => {
      const descriptor = Object.getOwnPropertyDescriptor(owner, key) as {
        readonly [member: string]: unknown;
      };
      return [owner, key, descriptor["value"] ?? descriptor["get"] ?? descriptor["set"]] as const;
    }),
  );
}

/** Takes note of every member of the built-in prototypes. What it answers throws when there is another by then. */
export function watchPrototypes(): () => void {
  const before = snapshot();
  return () => {
    const after = snapshot();
    for (const [index, [owner, key, held]] of after.entries()) {
      const [ownerBefore, keyBefore, heldBefore] = before[index] ?? [];
      if (owner !== ownerBefore || key !== keyBefore || !Object.is(held, heldBefore))
        throw new Error(`a built-in prototype has another ${String(key)}`);
    }
    if (after.length !== before.length) throw new Error("a built-in prototype has lost a member");
  };
}
