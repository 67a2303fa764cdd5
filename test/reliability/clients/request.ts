/**
 * `GET`, on a connection of its own: one that was kept from before may have been closed by a server that was killed
 * or grew tired of it, while this process was too busy to hear of that.
 */
export async function get(url: string): Promise<Response> {
  return await fetch(url, { headers: { Connection: "close" } });
}
