const KB = 1_024;

/** What one call may carry and write: of the room's limits those that both sides check. `Limits` has the reasons. */
export interface PayloadLimits {
  readonly maxRecordBytes: number;
  readonly maxPayloadBytes: number;
  readonly maxIdLength: number;
}

/** What JSON from outside may be like: of the room's limits those that it checks for each payload. */
export interface FormLimits {
  readonly maxDepth: number;
  readonly maxKeyLength: number;
  readonly maxKeys: number;
}

/** What one call may carry and write; in a room, also what its JSON may be like. */
export type CallLimits = PayloadLimits & Partial<FormLimits>;

/** The defaults, by which a client predicts: the room does not send its own. */
export const callLimits: PayloadLimits = Object.freeze({
  maxRecordBytes: 256 * KB,
  maxPayloadBytes: 512 * KB,
  maxIdLength: 128,
});
