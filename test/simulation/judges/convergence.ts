import { readState } from "../actions.ts";
import { differenceOf } from "./plain-state.ts";
import { shownTo, stateOf } from "../board.ts";
import type { Page } from "../client/page.ts";
import type { World } from "../world.ts";

/** Milliseconds within which everybody has to be where the room is. */
const restMs = 180_000;

/** Lets all faults stop, and judges what everybody comes to. `pass` lets a time pass and answers false when something failed. */
export async function comeToRest(world: World, pass: (ms: number) => Promise<boolean>): Promise<void> {
  const { stage } = world;
  stage.note("all faults stop");
  for (const page of world.pages) {
    page.isUnreachable = false;
    page.speak();
  }
  for (let passedMs = 0; ; passedMs += 500) {
    world.server.mend();
    findLeft(world);
    for (const { client } of world.pages)
      if (client.status === "closed" || client.status === "offline") client.reconnect();
    if (!(await pass(500))) return;
    const unrest = unrestOf(world);
    if (unrest === undefined) break;
    if (passedMs >= restMs) return stage.failForGood(`no rest after ${restMs / 1_000} s: ${unrest}`);
  }
  readState(world);
  if (stage.isLawless) return;
  for (const [token, { secret, isEdit, isInDoubt }] of world.openCalls) {
    if (isEdit || isInDoubt) continue;
    if (!world.server.disk.ledger.tokens.has(token)) stage.fail(`${token} of ${secret} came to nothing`);
  }
}

/** Whoever has left something opens a page once more. */
function findLeft(world: World): void {
  for (const { holder, person } of world.browserStorage.clients.values())
    if (holder === undefined) world.openNextPage(person);
}

/** What keeps the world from being at rest. */
function unrestOf(world: World): string | undefined {
  const { ledger } = world.server.disk;
  for (const page of world.pages) {
    const { client, name } = page;
    if (client.status !== "online") return `${name} is ${client.status}`;
    if (client.pending > 0)
      return `${name} waits for ${client.pending} calls: ${JSON.stringify(client.calls)}`;
    if (client.rev !== ledger.rev) return `${name} is at ${client.rev}, disk at ${ledger.rev}`;
    const expected = shownTo(world.stage.ownerOf(page.identity), ledger.state);
    const difference = differenceOf(stateOf(client.state), expected);
    if (difference !== undefined) return `${name}: ${difference}`;
    const others = othersProblem(page, world.pages);
    if (others !== undefined) return `${name} ${others}`;
  }
  for (const { clientId, calls } of world.browserStorage.clients.values())
    if (calls.size > 0) return `${calls.size} calls of ${clientId} are still kept`;
  return undefined;
}

/** Everybody who is here, and nobody else, with what each shows. */
function othersProblem({ client, clientId }: Page, pages: readonly Page[]): string | undefined {
  const shown = new Map(
    client.others.map(({ clientId: other, presence }) => [other, (presence as { at: number }).at]),
  );
  for (const page of pages) {
    if (page.clientId === clientId) continue;
    if (shown.get(page.clientId) !== page.presence)
      return `sees ${page.clientId} at ${shown.get(page.clientId)}, it is at ${page.presence}`;
    shown.delete(page.clientId);
  }
  return shown.size === 0 ? undefined : `sees ${[...shown.keys()].join(", ")}, who is not here`;
}
