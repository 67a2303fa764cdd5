import type { Judge, Position } from "../systems/system.ts";
import { comesTrue, type Stage } from "./stage.ts";

/** Time that a room has to bring everybody up to date, once nobody writes any more. */
const settleTimeoutMs = 12_000;

/** What a room should hold: the newest place of each record. */
export type Expected = ReadonlyMap<number, Position>;

/** Waits until `judge` has all of it. Answers how many records it has otherwise. */
export async function countDiffering(judge: Judge, expected: Expected, timeoutMs: number): Promise<number> {
  const isWrong = ([record, { x, y }]: readonly [number, Position]): boolean => {
    const position = judge.position(record);
    return position === undefined || position.x !== x || position.y !== y;
  };
  await comesTrue(() => ![...expected].some(isWrong), timeoutMs);
  return [...expected].filter(isWrong).length;
}

/** How many records somebody has not right: those who were there all the time, and one who comes afterwards. */
export async function judgeAll(
  stage: Stage,
  watching: readonly Judge[],
  expected: Expected,
): Promise<number> {
  const counts = await Promise.all(
    watching.map(async (judge) => await countDiffering(judge, expected, settleTimeoutMs)),
  );
  const worst = Math.max(...counts);
  if (worst > 0) return worst;
  try {
    return await countDiffering(await stage.judge(settleTimeoutMs), expected, settleTimeoutMs);
  } catch {
    return expected.size; // nobody is let in any more
  }
}
