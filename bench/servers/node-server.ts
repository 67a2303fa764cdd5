import { fileURLToPath } from "node:url";
import { freePort } from "../../test/reliability/process/server-process.ts";
import { Server } from "./server.ts";

/** Makes a server of its own Node process; the script is told its port and its folder. */
export async function createNodeServer(script: URL, folder: string): Promise<Server> {
  const port = await freePort();
  return new Server({
    program: process.execPath,
    args: ["--no-warnings", fileURLToPath(script), String(port), folder],
    cwd: folder,
    url: `http://127.0.0.1:${port}`,
  });
}
