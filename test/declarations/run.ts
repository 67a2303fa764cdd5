// Runs what the fixture declares with the zod that is installed beside it.
import { strictEqual } from "node:assert";
import { orderBetween } from "deltaroom";
import { join, listServer, server } from "./tests.ts";

const { room } = await join();
const order = orderBetween(null, null);
room.mutate.addTask({ id: "t1", title: "Water", order });
room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 2 }));
const refused = await room.mutate
  .addTask({ id: "t2", title: "x".repeat(201), order })
  .committed.catch(({ code }: { readonly code: string }) => code);
strictEqual(refused, "invalid");
room.history.undo();
await server.settle();
strictEqual(server.state.tasks.get("t1")?.title, "Water");
strictEqual(server.state.shapes.size, 0);

const list = await listServer.connect({ user: { id: "ben" }, presence: { name: "Ben" } });
list.room.transact((tx) => tx.items.put("i1", { text: "milk", order }));
await listServer.settle();
strictEqual([...listServer.state.items.entries("order")].length, 1);
