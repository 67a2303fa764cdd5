/** Raw deflate, as `Hello.acceptsDeflate` means it. */
export async function deflate(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Response(bytes as BufferSource).body?.pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream ?? null).arrayBuffer());
}
