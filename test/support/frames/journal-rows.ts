/** The outcomes that a journal row has of one client. */
export interface RowClient {
  readonly clientId: string;
  readonly confirmed: number;
  readonly answers: readonly (readonly [clientReqId: number, outcome: RowOutcome, callHash: number])[];
  /** Of a client's first call ever. */
  readonly owner?: string;
}

/** Its revision, or a rejection. */
type RowOutcome = number | { readonly kind: string; readonly code: string; readonly message: string };

/** Reads the outcomes of a journal row, with nothing of the product's code. */
export function readRowClients(text: string): {
  readonly seenAt: number;
  readonly clientLog: readonly RowClient[];
} {
  const fields = JSON.parse(text) as unknown[];
  const seenAt = fields.shift() as number;
  const size = fields.shift() as number;
  const clientLog = Array.from({ length: size }, (): RowClient => {
    const [clientId, confirmed, count] = fields.splice(0, 3) as [string, number, number];
    const answers = Array.from(
      { length: count },
      () => fields.splice(0, 3) as unknown as RowClient["answers"][number],
    );
    if (answers[0]?.[0] !== 1) return { clientId, confirmed, answers };
    const [owner] = fields.splice(0, 1) as [string];
    return { clientId, confirmed, answers, owner };
  });
  if (fields.length > 0) throw new Error(`${fields.length} fields are left over`);
  return { seenAt, clientLog };
}
