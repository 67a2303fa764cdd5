import { finishTurn } from "../../testing/timeline.ts";
import { comeToRest } from "./judges/convergence.ts";
import type { Stage } from "./stage.ts";
import { World } from "./world.ts";

/** A world whose time goes by; after each moment everything that it caused has happened, and is judged. */
export class Life {
  readonly stage: Stage;
  readonly world: World;

  constructor(stage: Stage) {
    this.stage = stage;
    this.world = new World(stage);
  }

  /** Finishes what has been caused. False when something must not have happened. */
  async settle(): Promise<boolean> {
    await finishTurn();
    this.world.judgePages();
    return this.stage.failure === undefined;
  }

  /** Lets time pass, and all that happens in it. False when something must not have happened. */
  async pass(ms: number): Promise<boolean> {
    const { clock, figures } = this.stage;
    const until = clock.now + ms;
    if (!(await this.settle())) return false;
    while (clock.step(until)) {
      figures.count("moments");
      if (!(await this.settle())) return false;
    }
    return true;
  }

  /** Lets all faults stop, and judges what everybody comes to. */
  async comeToRest(): Promise<void> {
    await comeToRest(this.world, async (ms) => await this.pass(ms));
  }
}
