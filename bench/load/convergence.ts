import type { Judge, Position } from "../systems/system.ts";
import { comesTrue } from "./stage.ts";

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
