import { expect, it } from "vitest";
import { codes } from "../../src/protocol/codes.ts";
import { joined, turn } from "./scripted-room.ts";

it("a client that the room has forgotten is told so of every call, and its view goes back", async () => {
  const { room, server, socket } = await joined({ records: { shapes: { s: { x: 1, y: 1 } } } });
  const rejected: string[] = [];
  room.on("reject", ({ code }) => rejected.push(code));
  room.on("error", () => {});
  const call = room.transact((tx) => tx.shapes.patch("s", { x: 2 }));
  await turn();
  socket.drop(1006);
  const again = await server.attempt(2);
  again.open();
  again.drop(codes["too-old"].closeCode);
  await expect(call.committed).rejects.toMatchObject({ code: "too-old" });
  expect(rejected).toEqual(["too-old"]);
  expect([room.pending, room.state.shapes.get("s")?.x, room.status]).toEqual([0, 1, "closed"]);
});
