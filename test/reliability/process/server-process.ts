import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";

/** Ends the group as soon as this process is gone, whatever became of it: an aborted run would leave its server behind. */
export function watchOver(group: number): ChildProcess {
  const watchdog = spawn("sh", ["-c", 'read _; kill -s KILL -- "-$1" 2> /dev/null', "sh", String(group)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watchdog.unref();
  return watchdog;
}

/** A port that nobody listens on. Another process could take it until it is used; then the start fails and says so. */
export async function freePort(): Promise<number> {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, "close");
  return port;
}
