import { expect, test } from "vitest";
import { after, board, show } from "./page.tsx";

const { useHistory, useRoom, useRoomState } = board;

test("useHistory says what can be undone and redone, does it, and renders when that changes and not otherwise", async () => {
  const rendered: string[] = [];
  let found: ReturnType<typeof useHistory> | undefined;
  let room: ReturnType<typeof useRoom> | undefined;
  const Buttons = () => {
    found = useHistory();
    room = useRoom();
    rendered.push(`${found.canUndo} ${found.canRedo}`);
    return null;
  };
  const X = () => useRoomState((state) => state.shapes.get("s1")?.x ?? 0);
  const { page } = await show([<Buttons key="buttons" />, <X key="x" />], {
    greeting: { records: { shapes: { s1: { x: 1, y: 1 } } } },
  });
  for (const x of [2, 3]) await after(() => room?.transact((tx) => tx.shapes.patch("s1", { x })));
  expect([page.text, rendered]).toEqual(["3", ["false false", "true false"]]);
  await after(() => found?.undo());
  expect(page.text).toBe("2");
  await after(() => found?.undo());
  expect([page.text, rendered.slice(2)]).toEqual(["1", ["true true", "false true"]]);
  await after(() => found?.redo());
  await after(() => found?.clear());
  expect([page.text, rendered.slice(4)]).toEqual(["2", ["true true", "false false"]]);
});
