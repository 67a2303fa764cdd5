import { get } from "../clients/request.ts";

/** The heap that production gives an isolate of 128 MB, less what that holds beside it: buffers, sockets, caches. */
export const productionHeapMb = 112;

/** Where the isolates of the one server of this process can be asked; different for processes that run at a time. */
const inspectorPort = 20_000 + (process.pid % 10_000);

/**
 * A command to run workerd under that holds each isolate to `maxHeapMb` of JavaScript heap: beyond it the process
 * ends. {@link readHeapMb} asks the server that runs under it.
 */
export function limitHeap(maxHeapMb: number): readonly string[] {
  const flag = `v8Flags = ["--max-heap-size=${maxHeapMb}"],`;
  const script = [
    `sed -i 's/^const config :Workerd.Config = ($/&${flag}/' config.capnp`,
    `grep -q 'max-heap-size=${maxHeapMb}"' config.capnp || exit 1`,
    `exec "$@" --inspector-addr=127.0.0.1:${inspectorPort}`,
  ];
  return ["sh", "-c", script.join(" && "), "sh"];
}

/** Megabytes of the isolate's heap that are in use, garbage that was not yet collected included. */
export async function readHeapMb(): Promise<number> {
  const response = await get(`http://127.0.0.1:${inspectorPort}/json/list`);
  const [isolate] = (await response.json()) as { webSocketDebuggerUrl: string }[];
  if (isolate === undefined) throw new Error("the inspector knows no isolate");
  const inspector = new WebSocket(isolate.webSocketDebuggerUrl);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  inspector.addEventListener("open", () =>
    inspector.send(JSON.stringify({ id: 1, method: "Runtime.getHeapUsage" })),
  );
  inspector.addEventListener("error", () => reject(new Error("the inspector cannot be reached")));
  inspector.addEventListener("message", ({ data }) => {
    const answer = JSON.parse(String(data)) as { id?: number; result?: { usedSize: number } };
    if (answer.id === 1 && answer.result) resolve(answer.result.usedSize / 2 ** 20);
  });
  try {
    return await promise;
  } finally {
    inspector.close();
  }
}
