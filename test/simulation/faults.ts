import { withoutReceived } from "./client/sent-frames.ts";
import type { Timeline } from "../../testing/timeline.ts";
import type { Person } from "./client/browser-storage.ts";
import { reads, writes, type Backup } from "./platform/disk.ts";
import type { Page } from "./client/page.ts";
import type { FaultName } from "./plan.ts";
import type { World } from "./world.ts";

const second = 1_000;
const minute = 60 * second;
const day = 24 * 60 * minute;

/** Has one of the plan's faults happen. */
export function breakSomething(world: World): void {
  const { dice, plan, figures } = world.stage;
  if (plan.faults.length === 0) return;
  const name = dice.pick(plan.faults);
  world.stage.note("fault:", name);
  figures.count(`fault: ${name}`);
  faults[name](world, dice.pick(world.pages));
}

const faults: { readonly [name in FaultName]: (world: World, page: Page) => void } = {
  stall: ({ stage: { dice } }, { wire }) => {
    const ms = dice.chance(0.7) ? dice.between(10, second) : dice.between(second, 20 * second);
    if (dice.chance(0.6)) wire?.up.stall(ms);
    else wire?.down.stall(ms);
  },

  cut: ({ stage: { dice } }, { wire }) => wire?.cut(dice.between(0, 100), dice.between(0, 100)),

  // The page is told; the room later, or never, and what was on its way may still arrive there.
  "half-open": ({ stage: { dice } }, { wire }) => {
    const roomAfterMs = dice.chance(0.5) ? dice.between(5 * second, 2 * minute) : undefined;
    const arrivesLate = dice.chance(0.7);
    if (arrivesLate && dice.chance(0.5)) wire?.up.stall(dice.between(100, 20 * second));
    wire?.cut(dice.between(0, 100), roomAfterMs, arrivesLate);
  },

  // The room is told; the page has to find out.
  unnoticed: ({ stage: { dice } }, { wire }) => wire?.cut(undefined, dice.between(0, 100)),

  outage: ({ stage: { dice, clock } }, page) => {
    page.isUnreachable = true;
    page.wire?.cut(dice.between(0, 100), dice.between(0, 100));
    clock.after(dice.between(second, 40 * second), () => void (page.isUnreachable = false));
  },

  // It gives up, tries again, and then both come.
  "slow-handshake": ({ stage: { dice } }, page) => {
    page.handshakeDelayMs = dice.between(second, 30 * second);
    page.wire?.cut(dice.between(0, 100), dice.between(0, 100));
  },

  "re-send": ({ stage: { dice } }, { wire }) => {
    if (wire === undefined || wire.pushes.length === 0 || !wire.isOpenAtPage) return;
    // What it acknowledged was acknowledged once.
    wire.carryUp(withoutReceived(dice.pick(wire.pushes)));
  },

  // At times while somebody lags behind.
  evict: ({ stage: { dice, clock }, server }, page) => {
    if (dice.chance(0.6)) return server.evict();
    mute(page, clock, dice.between(second, 10 * second));
    for (let left = 3; left > 0; left--) clock.after(dice.between(50, 2 * second), () => server.evict());
  },

  crash: ({ server }) => server.crash(),

  "crash-in-write": ({ stage: { dice }, server: { disk } }) => {
    const write = dice.chance(0.7) ? "append" : "checkpoint";
    disk.crash = { write, when: dice.chance(0.5) ? "before" : "after" };
  },

  disk: (world) => failDisk(world, writes),
  "disk-reads": (world) => failDisk(world, reads),

  restore: (world) => {
    const { stage, server, backups } = world;
    if (backups.length === 0 || stage.dice.chance(0.6)) {
      backups.push(server.disk.backUp());
      return;
    }
    if (stage.dice.chance(0.4)) server.evict(); // its sockets sleep through it
    if (stage.plan.undoesRestores) undoSoon(world);
    // What came after it is another history.
    backups.length = stage.dice.between(1, backups.length);
    world.restore(backups.at(-1) as Backup);
    if (stage.dice.chance(0.3)) for (const page of world.pages) reloadSoon(world, page);
  },

  "renew-epoch": ({ stage, server: { instance } }) => {
    if (stage.dice.chance(0.6)) return; // all start over
    instance?.guard("renewEpoch", () => instance.room.renewEpoch());
  },

  supersede: ({ server }) => server.supersede(),

  clock: ({ stage: { dice }, server }, page) => {
    const jump = dice.pick([second, minute, day, 2 * day]) * (dice.chance(0.5) ? 1 : -1);
    if (dice.chance(0.5)) server.skewMs += jump;
    else page.skewMs += jump;
  },

  // Now and then several times in a row, before everything is written. What it has kept is found by the page that is loaded instead, by another tab of the person, later, or never.
  reload: (world, page) => {
    const { dice } = world.stage;
    const { identity, skewMs } = page;
    world.lose(page);
    const others = tabsOf(world, identity);
    const next = dice.weighted<"page" | "tab" | "later" | "never">([
      [6, "page"],
      [3, "tab"],
      [1, "later"],
      [1, "never"],
    ]);
    if (next === "never") world.loseKept(identity);
    if (next === "tab" && others.length > 0) return world.takeOver(dice.pick(others));
    const opened = next === "later" ? world.openSomePage() : world.openNextPage(identity);
    opened.skewMs = skewMs;
    if (dice.chance(0.3)) reloadSoon(world, opened);
  },

  // As if the lock between tabs had failed.
  "copy-tab": (world, page) => {
    const { dice } = world.stage;
    const held = world.browserStorage.heldBy(page).filter(({ calls }) => calls.size > 0);
    const others = tabsOf(world, page.identity).filter((other) => other !== page);
    if (held.length === 0 || others.length === 0) {
      if (world.pages.length < 6) world.openNextPage(page.identity); // for the next time
      return;
    }
    world.share(dice.pick(held), dice.pick(others));
  },

  "full-disk": (world, page) => world.fillDisk(page),

  mute: ({ stage: { dice, clock } }, page) => mute(page, clock, dice.between(100, 20 * second)),

  offline: ({ stage: { dice } }, page) => {
    if (dice.chance(0.4)) page.client.disconnect();
    else page.client.reconnect();
  },

  close: (world, page) => {
    if (world.pages.length > 1 && world.stage.dice.chance(0.5)) {
      world.close(page);
    }
    if (world.pages.length < 6) world.openSomePage();
  },
};

/** Has the room go on with the history that a restore is about to end: once, or once more after it was back in the other one. */
function undoSoon(world: World): void {
  const { clock, dice, figures } = world.stage;
  const ended = world.server.disk.backUp();
  clock.after(dice.between(20, 5 * second), () => {
    figures.count("restores undone");
    if (dice.chance(0.5)) undoSoon(world);
    world.restore(ended);
  });
}

/** Loads a page anew about when it has found its room again. */
function reloadSoon(world: World, page: Page): void {
  const { clock, dice, plan } = world.stage;
  if (!plan.faults.includes("reload")) return;
  clock.after(dice.between(0, dice.pick([100, 500])), () => {
    if (world.pages.includes(page)) faults.reload(world, page);
  });
}

/** A person's pages that can take calls over. */
function tabsOf({ pages }: World, person: Person): Page[] {
  return pages.filter(({ identity, keeping }) => identity === person && keeping?.isOpen);
}

/** The page reads, and does not say so. */
function mute(page: Page, clock: Timeline, ms: number): void {
  page.isMute = true;
  clock.after(ms, () => page.speak());
}

function failDisk(
  { stage: { dice, clock }, server: { disk } }: World,
  accesses: readonly ((typeof reads)[number] | (typeof writes)[number])[],
): void {
  // Most reads are those of a wake, others are seldom.
  const rare = ["page", "pageRecords", "ring", "assertNewest"] as const;
  const access = accesses === reads && dice.chance(0.5) ? dice.pick(rare) : dice.pick(accesses);
  disk.failing.set(access, dice.pick([0.3, 1]));
  clock.after(dice.between(0, 2 * second), () => void disk.failing.delete(access));
}
