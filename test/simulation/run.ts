import { doSomething } from "./actions.ts";
import { breakSomething } from "./faults.ts";
import { Life } from "./simulated-time.ts";
import { Stage, type StageOptions } from "./stage.ts";

/** What came of one run. */
export interface Report {
  readonly seed: number;
  /** The first thing that must not have happened; undefined when all was well. */
  readonly failure: string | undefined;
  /** How often what happened. */
  readonly counts: ReadonlyMap<string, number>;
  /** Every step, when it was asked for. */
  readonly trace: readonly string[];
}

/** Runs a whole world from its beginning until everything is at rest. The same seed runs the same. */
export async function runSeed(seed: number, options?: StageOptions): Promise<Report> {
  const stage = new Stage(seed, options);
  try {
    await live(new Life(stage));
  } catch (error) {
    stage.fail(`the simulation threw ${error instanceof Error ? error.stack : String(error)}`);
  }
  return { seed, failure: stage.failure, counts: stage.figures.counts, trace: stage.trace };
}

async function live(life: Life): Promise<void> {
  const { stage, world } = life;
  const { dice, plan } = stage;
  stage.note(JSON.stringify(plan));
  for (let page = 0; page < plan.pages; page++) world.openSomePage();
  for (let step = 0; step < plan.steps; step++) {
    stage.figures.count("steps");
    if (dice.chance(plan.faultShare)) breakSomething(world);
    else doSomething(world);
    if (!(await life.pass(dice.pauseMs()))) return;
  }
  if (plan.endsUntold) await endUntold(life);
  await life.comeToRest();
}

/** Puts the disk back behind the room's back, lets everybody go on for a while, and leaves it to them to find out. */
async function endUntold(life: Life): Promise<void> {
  const { dice, figures } = life.stage;
  const { backups } = life.world;
  const backup = dice.chance(0.5) ? backups.at(-1) : undefined;
  const recent = life.world.server.disk.backUp();
  for (let left = dice.between(1, 10); left > 0; left--) {
    doSomething(life.world);
    if (!(await life.pass(dice.between(0, 100)))) return;
  }
  figures.count("restores that nobody told of");
  life.world.restoreUntold(backup ?? recent);
  for (let left = dice.between(0, 20); left > 0; left--) {
    doSomething(life.world);
    // What a page is sent meanwhile then comes at once, so that one frame overtakes what another has begun.
    if (dice.chance(0.3)) dice.pick(life.world.pages).wire?.down.stall(dice.between(10, 300));
    await life.pass(dice.between(0, 100));
  }
}
