import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { connect } from "../../client/index.ts";
import { board } from "../../demo/board.ts";
import { DevServer } from "./dev-server.ts";

let server: DevServer;

beforeAll(async () => {
  server = await DevServer.start();
});

afterAll(async () => {
  await server?.stop();
});

// Over a real connection: inside of the runtime a close is there at once, whichever socket it comes by.
test("a client that the room turns away is told why, at once", async () => {
  const room = connect(`${server.url}/rooms/refused`, { ...board, version: board.version + 1 });
  const told = vi.fn<(code: string, willRetry: boolean) => void>();
  room.on("error", ({ code, willRetry }) => told(code, willRetry));
  await vi.waitFor(() => expect(room.status).toBe("closed"), { timeout: 10_000, interval: 20 });
  expect(room.closeReason).toBe("schema-mismatch");
  expect(told.mock.calls).toEqual([["schema-mismatch", false]]);
  room.close();
});
