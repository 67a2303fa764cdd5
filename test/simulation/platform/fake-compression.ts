/** Stands for compression, and undoes itself. Who takes it for the text, or the text for it, reads garbage. */
export function fakeCompressed(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => byte ^ 0xa5);
}
