import { describe, expect, onTestFinished, test, vi } from "vitest";
import { joined, turn } from "../support/rooms/scripted-room.ts";

const shapes = { s1: { x: 1, y: 1 } };
/** As JavaScript may write it: the linter refuses it where nothing is to be returned. */
const late: () => unknown = async (): Promise<never> => await Promise.reject(new Error("too late"));

/** Errors that were reported in the console. */
function reported(): unknown[] {
  const errors: unknown[] = [];
  const spy = vi.spyOn(console, "error").mockImplementation((_, error) => void errors.push(error));
  onTestFinished(() => spy.mockRestore());
  return errors;
}

describe("an asynchronous function where none is expected", () => {
  test("as a listener has what it is rejected with reported, and the others still hear", async () => {
    const { room, socket } = await joined({ records: { shapes } });
    const errors = reported();
    const heard: unknown[] = [];
    room.subscribe((s) => s.shapes.get("s1")?.x, late);
    room.observe("shapes", late);
    room.on("pending", late);
    room.subscribe(
      (s) => s.shapes.get("s1")?.x,
      (x) => heard.push(x),
    );
    socket.delta(0, { shapes: [["patch", "s1", { x: 7 }]] });
    await turn();
    expect(heard).toEqual([7]);
    expect(errors.map(String)).toEqual(["Error: too late", "Error: too late"]);
  });

  test("as a selector is refused at once", async () => {
    const { room } = await joined({ records: { shapes } });
    expect(() => room.subscribe(late, () => {})).toThrow("a selector is asynchronous");
  });

  test("as a direct edit is refused, and nothing of it is done", async () => {
    const { room } = await joined({ records: { shapes } });
    const edit = async (tx: { shapes: { patch(id: string, fields: object): void } }) => {
      tx.shapes.patch("s1", { x: 9 });
      await late();
    };
    expect(() => room.transact(edit as never)).toThrow("the edit is asynchronous");
    expect([room.state.shapes.get("s1")?.x, room.pending]).toEqual([1, 0]);
  });
});
