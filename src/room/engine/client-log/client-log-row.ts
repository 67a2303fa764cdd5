import type { Answer, Outcome } from "../../../model/call.ts";
import type { Json } from "../../../schema/json.ts";

/** The outcomes that one flush adds for a client. */
export interface ClientAnswers {
  readonly client: { readonly clientId: string; readonly owner: string; readonly confirmed: number };
  /** In order of `clientReqId`; the last one is the last executed call. */
  readonly answers: readonly Answer[];
}

/**
 * What a flush adds to the client log, as its journal row has it: one JSON list, which takes a tenth of the time that objects
 * take. `seenAt, number of clients`, and of each `client id, confirmed, number of answers`, of each answer `clientReqId,
 * outcome, callHash`, and behind a client's first call ever its `owner`: later ones are of a client that storage knows.
 */
export function encodeClientLog(clients: Iterable<ClientAnswers>, size: number, seenAt: number): string {
  const fields: Json[] = [seenAt, size];
  for (const { client, answers } of clients) {
    fields.push(client.clientId, client.confirmed, answers.length);
    for (const [clientReqId, outcome, callHash] of answers) {
      fields.push(clientReqId, outcome.kind === "accepted" ? outcome.rev : outcome, callHash);
    }
    if (answers[0]?.[0] === 1) fields.push(client.owner);
  }
  return JSON.stringify(fields);
}

/** The outcomes that a journal row adds for one client. */
interface RowAnswers {
  readonly clientId: string;
  readonly confirmed: number;
  readonly answers: readonly Answer[];
  /** Milliseconds since the epoch. */
  readonly seenAt: number;
  /** Whose the client is: told with its first call ever. */
  readonly owner?: string;
}

/** Reads what {@link encodeClientLog} has written. */
export function* decodeClientLog(text: string): Generator<RowAnswers> {
  const next = (JSON.parse(text) as Json[]).values();
  const take = <T extends Json>(): T => next.next().value as T;
  const seenAt = take<number>();
  for (let left = take<number>(); left > 0; left--) {
    const clientId = take<string>();
    const confirmed = take<number>();
    const answers = Array.from({ length: take<number>() }, () => {
      return [take<number>(), readOutcome(take()), take<number>()] as const;
    });
    const isNew = answers[0]?.[0] === 1;
    yield { clientId, confirmed, answers, seenAt, ...(isNew && { owner: take<string>() }) };
  }
}

function readOutcome(stored: Json): Outcome {
  return typeof stored === "number" ? { kind: "accepted", rev: stored } : (stored as unknown as Outcome);
}
