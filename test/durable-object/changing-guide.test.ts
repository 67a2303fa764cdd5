import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { z } from "zod";
import { Board } from "virtual:guide/changing/worker.ts";
import { connect } from "../../client/index.ts";
import { defineRoom } from "../../src/index.ts";
import { RoomObject } from "../../src/server.ts";
import { enter, leave, until } from "../support/clients/joined-client.ts";
import { Link } from "../support/clients/worker-transport.ts";
import { newTestRoom } from "../support/rooms/test-rooms.ts";

/** As the page's room was before its points. */
const former = defineRoom({
  version: 1,
  collections: { tasks: z.object({ title: z.string() }) },
  direct: ["tasks"],
});
const FormerBoard = RoomObject(former);

it("a room that wakes under new code fills in what its records lack, once", async () => {
  const stub = env.SCRATCH.getByName(crypto.randomUUID());
  await runInDurableObject(stub, (_, state: DurableObjectState) => {
    new FormerBoard(state, env).transact((tx) => tx.tasks.put("t1", { title: "Water the plants" }));

    const board = new Board(state, env);
    expect(board.state.tasks.get("t1")).toEqual({ title: "Water the plants", points: 1 });
    expect(
      board.transact((tx: { tasks: { patch(id: string, fields: object): void } }) => {
        tx.tasks.patch("t1", { points: 5 });
      }),
    ).toEqual({ rev: 3 });

    const again = new Board(state, env);
    expect(again.state.tasks.get("t1")).toEqual({ title: "Water the plants", points: 5 });
    expect(again.transact(() => {})).toEqual({ rev: 4 });
  });
});

it("a page whose definition lacks a field, collections and mutators goes on working", async () => {
  const older = defineRoom({
    version: 3,
    collections: { shapes: z.object({ x: z.number(), y: z.number() }) },
    direct: ["shapes"],
  });
  const at = newTestRoom();
  const { room } = await enter(at);
  room.transact((tx) => tx.shapes.put("s1", { x: 1, y: 2, color: "red" }));
  room.mutate.addTask({ id: "t1", title: "Unheard of" });
  await until(() => room.pending === 0);

  const link = new Link();
  const page = connect(at.url, older, { transport: link.transport });
  await page.ready;
  await page.transact((tx) => tx.shapes.patch("s1", { x: 10 })).committed;
  await until(() => room.rev === page.rev);
  expect(room.state.shapes.get("s1")).toEqual({ x: 10, y: 2, color: "red" });

  room.mutate.addTask({ id: "t2", title: "Unheard of as well" });
  room.transact((tx) => tx.shapes.patch("s1", { y: 20, color: "blue" }));
  await until(() => page.state.shapes.get("s1")?.y === 20);
  expect(page.status).toBe("online");
  leave(page);
  link.dispose();
});
