import { describe, expect, it } from "vitest";
import { newBoard, put } from "../support/rooms/test-rooms.ts";
import type { WireClient } from "../support/clients/wire-client.ts";

const claim = (more: object = {}) => ["claim", { id: "s1", name: "Ben", color: "rose", ...more }] as const;
const holderSeenBy = ({ copy }: WireClient) => copy.get("claims", "s1")?.["clientId"];

/** A board with a shape that Ada has claimed, and Ben who sees it. */
async function claimed() {
  const room = newBoard();
  const join = async (name: string) => await room.join({ name }, { schema: 1 });
  const [ada, ben] = [await join("ada"), await join("ben")];
  const shape = put("shapes", "s1", { kind: "note", x: 0, y: 0, color: "sea" });
  expect(await ada.commit(shape, claim({ name: "Ada" }))).toEqual([1, 2]);
  await ben.until(({ rev }) => rev === 2);
  return { room, ada, ben, join };
}

describe("a claim on a shape of the demo", () => {
  it("stands while its holder is here, whatever another client says of the holder", async () => {
    const { ada, ben } = await claimed();
    for (const more of [{}, { departed: ada.clientId }, { clientId: ada.clientId }, { holder: ben.clientId }])
      expect(await ben.commit(claim(more))).toEqual([expect.objectContaining({ code: "conflict" })]);
    expect([holderSeenBy(ada), holderSeenBy(ben)]).toEqual([ada.clientId, ada.clientId]);
  });

  it.each([
    ["", "awake"],
    [" a room that has slept", "asleep"],
  ])("ends when its holder leaves%s", async (_, state) => {
    const { room, ada, ben } = await claimed();
    if (state === "asleep") await room.evict();
    ada.cut();
    await ben.until(({ rev }) => rev === 3);
    expect(holderSeenBy(ben)).toBeUndefined();
    expect(await ben.commit(claim())).toEqual([4]);
  });

  it("that a killed process has left ends when a client comes that is alone, and not before", async () => {
    const { room, ada, ben, join } = await claimed();
    const stale = { clientId: "an-actor-that-is-gone", name: "Cara", color: "sun" } as const;
    await room.inside((board) => void board.transact((tx) => tx.claims.put("s2", stale)));
    await ben.until(({ rev }) => rev === 3);
    const carl = await join("carl");
    expect([carl.copy.get("claims", "s2"), holderSeenBy(carl)]).toEqual([stale, ada.clientId]);
    for (const client of [ada, ben, carl]) client.cut();
    await expect.poll(async () => await room.inside((_, ctx) => ctx.getWebSockets().length)).toBe(0);
    const dora = await join("dora");
    await dora.until(
      ({ collections }) => collections["claims"] === undefined || collections["claims"]["s2"] === undefined,
    );
    expect((await room.json()).collections["claims"]).toBeUndefined();
  });
});
