import type { CollectionTransaction } from "../../src/model/transaction.ts";
import type { MutatorName } from "./board.ts";
import type { Dice } from "./dice.ts";
import { readProblem, reloadProblems } from "./judges/state-check.ts";
import type { Page } from "./client/page.ts";
import type { World } from "./world.ts";

/** Few, so that calls meet. */
const shapeIds = ["a", "b", "c", "d", "e", "f", "g", "h"];

/** What people and backends do with a room. */
export function doSomething(world: World): void {
  const { dice } = world.stage;
  const action = dice.weighted<(world: World) => void>([
    [88, useAPage],
    [3, callFromBackend],
    [2, ({ server: { instance } }) => instance?.guard("transact", () => transactOrFail(world, instance))],
    [1, tellFromBackend],
    [3, readState],
    [3, lookAgain],
  ]);
  action(world);
}

function useAPage(world: World): void {
  const { dice } = world.stage;
  const page = dice.pick(world.pages);
  if (!page.isReady) return;
  const use = dice.weighted<(world: World, page: Page) => void>([
    [24, (w, p) => makeCall(w, p, "tally")],
    [6, (w, p) => makeCall(w, p, "claim")],
    [3, (w, p) => makeCall(w, p, "decide")],
    [2, (w, p) => makeCall(w, p, "lean")],
    [2, (w, p) => makeCall(w, p, "refuse")],
    [1, (w, p) => makeCall(w, p, "stumble")],
    [1, (w, p) => makeCall(w, p, "clear")],
    [1, (w, p) => makeCall(w, p, "tally", "forbidden")],
    [30, edit],
    [3, burst],
    [8, showPresence],
    [3, (w, p) => p.client.broadcast("wave", { token: w.newToken() })],
  ]);
  use(world, page);
}

function makeCall(world: World, page: Page, type: MutatorName, key: string = page.clientId): void {
  const { dice } = world.stage;
  const id = dice.pick(shapeIds);
  // What throws in its first run is only logged, and never sent.
  if (type === "lean" && !page.client.state["shapes"]?.has(id)) return;
  const token = world.newToken();
  world.noteCall(page, token, false);
  page.call(type, { token, key, id });
}

/** One or two records, put, patched, freed of a field or deleted. Each writes something new, so that none is empty. */
function edit(world: World, page: Page): void {
  const { dice } = world.stage;
  const token = world.newToken();
  // Mostly one's own notes, for those of others may be refused.
  const owner = dice.chance(0.95) ? page.identity : dice.pick(world.pages).identity;
  const [collection, prefix] = dice.chance(0.25) ? ["notes", `${owner.user.id}/`] : ["shapes", ""];
  const pickId = () => prefix + dice.pick(shapeIds);
  const ids = new Set([pickId(), ...(dice.chance(0.2) ? [pickId()] : [])]);
  const label = dice.chance(0.3) ? { label: "x".repeat(dice.between(1, 80)) } : {};
  world.noteCall(page, token, true);
  page.edit(token, (tx) => {
    const records = tx[collection] as CollectionTransaction;
    for (const id of ids) editShape(dice, records, id, { by: token, ...label });
  });
}

function editShape(dice: Dice, shapes: CollectionTransaction, id: string, fields: { by: string }): void {
  const kinds = [
    [3, "put"],
    [5, "patch"],
    [2, "unset"],
    [3, "delete"],
  ] as const;
  const kind = shapes.has(id) ? dice.weighted(kinds) : "put";
  switch (kind) {
    case "put":
      return shapes.put(id, { x: dice.between(0, 9), ...fields });
    case "patch":
      return shapes.patch(id, fields);
    case "unset":
      shapes.patch(id, { by: fields.by });
      return shapes.unset(id, "label");
    case "delete":
      return shapes.delete(id);
    default:
      return kind satisfies never;
  }
}

function burst(world: World, page: Page): void {
  for (let left = world.stage.dice.between(5, 20); left > 0; left--) {
    if (world.stage.dice.chance(0.5)) edit(world, page);
    else makeCall(world, page, "tally");
  }
}

function showPresence(world: World, page: Page): void {
  page.presence = world.stage.dice.between(1, 1_000_000);
  page.client.presence.update({ at: page.presence });
}

/** A call under an idempotency key, a new one or one that was used before. */
function callFromBackend(world: World): void {
  const { stage, server, remoteAnswers } = world;
  const known = [...remoteAnswers.keys()];
  const token = known.length > 0 && stage.dice.chance(0.5) ? stage.dice.pick(known) : world.newToken();
  const { instance } = server;
  if (instance === undefined) return;
  const client = { clientId: `rpc:${token}`, user: null, access: "write" as const };
  const outcome = instance.guard("call", () => {
    try {
      return instance.room.call(client, "tally", { token, key: "rpc" });
    } catch (error) {
      if (server.disk.hasFailed && String(error).includes("came to nothing")) return undefined;
      throw error;
    }
  });
  if (outcome === undefined || instance.isEnded) return;
  stage.figures.count("backend calls answered");
  const { ledger } = server.disk;
  const text = JSON.stringify(outcome);
  const before = remoteAnswers.get(token);
  if (before?.epoch === ledger.epoch && before.text !== text && !ledger.repeatable.has(token))
    stage.fail(`backend call ${token} is answered ${text}, and was ${before.text}`);
  if (outcome.kind === "accepted" && !ledger.tokens.has(token))
    stage.fail(`backend call ${token} was answered and is not on disk`);
  remoteAnswers.set(token, { epoch: ledger.epoch, text });
}

function transactOrFail(world: World, instance: NonNullable<World["server"]["instance"]>): void {
  try {
    instance.transact();
  } catch (error) {
    if (!world.server.disk.hasFailed || !String(error).includes("storage failed")) throw error;
  }
}

function tellFromBackend(world: World): void {
  const { instance } = world.server;
  instance?.guard("broadcast", () => instance.room.broadcast("wave", { token: world.newToken() }));
}

/**
 * Reads the whole state, as over HTTP: it must be what is on disk, while the batch waits for its flush. After a flush, all that
 * the room knows must be what another instance would know.
 */
export function readState({ stage, server }: World): void {
  const { instance } = server;
  const flushed = instance?.guard("read", () => instance.room.read());
  if (instance === undefined || flushed === undefined || instance.isEnded) return;
  // To compare its records is to have it read them all, and then none would ever be missing when a call comes.
  const withRecords = stage.dice.chance(0.3);
  if (withRecords && instance.room.roomState.stored) {
    const onDisk = server.readDisk();
    const problem = onDisk && instance.guard("compare", () => readProblem(flushed, onDisk));
    stage.figures.count("states read");
    if (problem !== undefined) stage.fail(`a read is not what is on disk: ${problem}`);
  }
  instance.guard("flush", () => instance.room.flush());
  const { roomState } = instance.room;
  if (!roomState.stored || instance.isEnded) return;
  stage.figures.count("memories compared");
  const reloaded = server.readDisk();
  if (reloaded === undefined) return;
  const problems = instance.guard("compare", () => reloadProblems(roomState, reloaded, withRecords));
  for (const problem of problems ?? []) stage.fail(`memory is not disk: ${problem}`);
}

/** Somebody looks at a page again, and it looks after its connection. */
function lookAgain(world: World): void {
  world.stage.dice.pick(world.pages).wake();
}
