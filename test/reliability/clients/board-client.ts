import { isDeepStrictEqual } from "node:util";
import { connect, type ConnectOptions } from "../../../client/index.ts";
import { board } from "../../../demo/board.ts";
import { get } from "./request.ts";

export type BoardOptions = ConnectOptions<typeof board>;
export type BoardRoom = ReturnType<typeof openBoard>;

type Records = { readonly [id: string]: unknown };

/** A board as `GET` answers it. */
export interface BoardJson {
  readonly epoch: string;
  readonly rev: number;
  readonly collections: { readonly shapes: Records; readonly claims: Records };
}

export function openBoard(url: string, options: BoardOptions) {
  return connect(url, board, options);
}

export async function readBoard(url: string): Promise<BoardJson> {
  const response = await get(url);
  if (!response.ok) throw new Error(`GET: ${response.status} ${await response.text()}`);
  return (await response.json()) as BoardJson;
}

/** The first few records that `room` and `truth` do not have alike. */
export function differences({ state }: BoardRoom, { collections }: BoardJson): string[] {
  const found: string[] = [];
  for (const name of ["shapes", "claims"] as const) {
    const truth = collections[name];
    const ids = new Set([...state[name].ids(), ...Object.keys(truth)]);
    for (const id of ids) {
      if (!isDeepStrictEqual(state[name].get(id), truth[id])) found.push(`${name}/${id}`);
      if (found.length === 5) return [...found, "…"];
    }
  }
  return found;
}
