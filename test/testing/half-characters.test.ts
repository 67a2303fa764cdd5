import { expect, test } from "vitest";
import { z } from "zod";
import { defineRoom } from "../../src/index.ts";
import { createTestRoom } from "../../testing/index.ts";

const Note = z.object({ text: z.string(), any: z.json().optional() });

const notes = defineRoom({
  version: 1,
  collections: { notes: Note },
  direct: ["notes"],
  presence: Note,
  events: { said: Note },
  mutators: (mutator) => ({
    write: mutator(z.object({ id: z.string(), text: z.string() }), (tx, { id, text }) => {
      tx.notes.put(id, { text });
    }),
    /** Cuts a text in the room and in the prediction. */
    cut: mutator(z.object({ id: z.string(), length: z.number() }), (tx, { id, length }) => {
      tx.notes.patch(id, { text: tx.notes.get(id)?.text.slice(0, length) ?? "" });
    }),
  }),
});

const typed = "party🎉";
const half = typed.slice(0, 6);

test("half a character is no lost keystroke: the client shows at once what the room stores and the others receive", async () => {
  const server = createTestRoom(notes);
  const one = await server.connect({ presence: { text: half } });
  const other = await server.connect({ presence: { text: "" } });
  const heard: unknown[] = [];
  other.room.onEvent("said", (payload) => void heard.push(payload));
  one.room.transact((tx) => {
    tx.notes.put("direct", { text: half, any: [{ deep: half }, typed] });
  });
  one.room.mutate.write({ id: "called", text: half });
  one.room.mutate.write({ id: "cut", text: typed });
  one.room.mutate.cut({ id: "cut", length: 6 });
  one.room.broadcast("said", { text: half });
  const predicted = Object.fromEntries(one.room.state.notes.entries());
  expect(predicted).toEqual({
    direct: { text: "party\ufffd", any: [{ deep: "party\ufffd" }, typed] },
    called: { text: "party\ufffd" },
    cut: { text: "party\ufffd" },
  });
  await server.settle();
  expect(server.records("notes")).toEqual(predicted);
  expect(Object.fromEntries(other.room.state.notes.entries())).toEqual(predicted);
  expect(other.room.others).toMatchObject([{ presence: { text: "party\ufffd" } }]);
  expect(heard).toEqual([{ text: "party\ufffd" }]);
  one.room.transact((tx) => tx.notes.patch("called", { text: typed }));
  await server.settle();
  expect(other.room.state.notes.get("called")?.text).toBe(typed);
});

test("in the id of a record half a character is refused", async () => {
  const { room } = await createTestRoom(notes).connect({ presence: { text: "" } });
  expect(() => room.transact((tx) => tx.notes.put(half, { text: "" }))).toThrow("well-formed");
});

test("in a user half a character is refused, as `routeRooms` refuses it", async () => {
  const team = createTestRoom(
    defineRoom({
      version: 1,
      user: z.object({ id: z.string(), name: z.string() }),
      collections: { notes: Note },
    }),
  );
  await expect(team.connect({ user: { id: half, name: "x" } })).rejects.toThrow("the user: id");
  await expect(team.connect({ user: { id: "x", name: half } })).rejects.toThrow("the user: name");
  const { room } = await team.connect({ user: { id: typed, name: typed } });
  expect(room.self.user).toEqual({ id: typed, name: typed });
});
