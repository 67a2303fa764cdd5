const KB = 1_024;

/** Of `Limits` the defaults that a client keeps to when it predicts: it is not told those of its room. */
export const callLimits = Object.freeze({
  maxRecordBytes: 256 * KB,
  maxPayloadBytes: 512 * KB,
  maxIdLength: 128,
});
