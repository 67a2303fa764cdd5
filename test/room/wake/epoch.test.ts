import { describe, expect, it } from "vitest";
import { codes } from "../../../src/protocol/codes.ts";
import { newSmallRoom, patch, put } from "../../support/rooms/test-rooms.ts";

describe("a room with a renewed epoch", () => {
  it("closes its sessions, and serves the same state as another history, also after hibernation", async () => {
    const room = newSmallRoom();
    const alice = await room.join();
    await alice.commit(put("shapes", "s", { x: 1, y: 1 }));
    await alice.commit(patch("shapes", "s", { x: 2 }));
    const before = await room.json();
    await room.inside((self) => self.renewEpoch());
    expect(await alice.closed()).toMatchObject({ closeCode: codes["epoch-changed"].closeCode });
    const after = await room.json();
    expect(after).toEqual({ ...before, epoch: after.epoch });
    expect(after.epoch).not.toBe(before.epoch);
    await room.evict();
    expect(await room.json()).toEqual(after);
  });

  it("sends a client of the former epoch a snapshot, and then deltas of the new one", async () => {
    const room = newSmallRoom();
    const alice = await room.join();
    for (let x = 0; x < 20; x++) await alice.commit(put("shapes", `s${x}`, { x, y: 0 }));
    await room.inside((self) => self.renewEpoch());
    await alice.closed();
    await alice.open();
    const { parts } = await alice.caughtUp();
    expect(parts).toBeGreaterThan(0);
    expect(await alice.commit(patch("shapes", "s1", { x: 9 }))).toEqual([21]);
    alice.cut();
    await room.evict();
    const bob = await room.join();
    await bob.commit(patch("shapes", "s2", { x: 9 }));
    await alice.open();
    const { parts: none, delta } = await alice.caughtUp();
    expect([none, delta?.from]).toEqual([undefined, 21]);
    expect(alice.copy.get("shapes", "s2")).toEqual({ x: 9, y: 0 });
  });

  // A handshake that was on its way while the room was restored, and the client's calls were made anew by another page.
  it.each(["that epoch", "no epoch"])(
    "takes no confirmation with %s: its ids may be of other calls here",
    async (which) => {
      const room = newSmallRoom();
      const alice = await room.join();
      const epoch = which === "no epoch" ? null : alice.copy.epoch;
      const call = put("shapes", "s", { x: 1, y: 1 });
      const [rev] = await alice.commit(call);
      await room.inside((self) => self.renewEpoch());
      await alice.closed();
      const again = room.client({ secret: alice.secret });
      await again.open({ epoch, confirmed: 1, knownSince: 0 });
      await again.caughtUp();
      expect(again.copy.outcomes.get(1)).toBe(rev);
    },
  );
});
