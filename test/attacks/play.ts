import { afterAll, describe, expect, it } from "vitest";
import type { Channel } from "./attack.ts";
import { attacks, type AttackId } from "./attacks.ts";
import { Scene, type AttackAction, type Report } from "./scene.ts";

/** The rows of some channels. */
type IdOn<C extends Channel> = Extract<(typeof attacks)[number], { readonly channel: C }>["id"] & AttackId;

/** A test for each row of `channels`; a row without its deed does not compile. */
export function playAll<C extends Channel>(
  channels: readonly C[],
  actions: { readonly [Id in IdOn<C>]: AttackAction },
): void {
  const rows = attacks.filter(({ channel }) => (channels as readonly Channel[]).includes(channel));
  const reports: Report[] = [];
  describe("each attack is answered as the contract says, and nobody else notices", () => {
    it.each(rows)("$id: $does", { timeout: 60_000 }, async ({ id, answers }) => {
      const report = await Scene.play(actions[id as IdOn<C>], answers);
      expect(report.attempts).toBeGreaterThan(0);
      reports.push(report);
    });
  });
  afterAll(() => {
    const attempts = reports.reduce((sum, report) => sum + report.attempts, 0);
    const rounds = reports.reduce((sum, report) => sum + report.rounds, 0);
    const worstMs = Math.max(...reports.map((report) => report.worstMs));
    console.log(
      `${reports.length} of ${rows.length} attacks in ${attempts} attempts were answered as they should; ` +
        `${rounds} round trips of bystanders, the longest ${worstMs} ms`,
    );
  });
}
