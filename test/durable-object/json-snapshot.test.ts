import { describe, expect, it } from "vitest";
import { newSmallRoom, newTestRoom, put, type AnyRoom } from "../support/rooms/test-rooms.ts";

async function etagOf(room: AnyRoom): Promise<string> {
  const response = await room.get();
  await response.text(); // an answer that nobody reads would keep the room from hibernating
  return response.headers.get("ETag") ?? "";
}

describe("GET of a room", () => {
  it("is its whole state as JSON, of one revision", async () => {
    const room = newTestRoom();
    const alice = await room.join();
    await alice.commit(put("shapes", "s1", { x: 1, y: 2 }), ["addTask", { id: "t", title: "T" }]);
    const response = await room.get();
    expect(response.headers.get("Content-Type")).toBe("application/json");
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(await response.json()).toEqual({
      epoch: alice.copy.epoch,
      rev: 2,
      collections: {
        shapes: { s1: { x: 1, y: 2 } },
        notes: {},
        cards: {},
        tasks: { t: { title: "T", assignee: null } },
      },
    });
  });

  it("of a room that nobody has used is empty, and writes nothing to storage", async () => {
    const room = newTestRoom();
    expect(await room.json()).toMatchObject({ rev: 0, collections: {} });
    await room.evict();
    expect(await room.json()).toMatchObject({ rev: 0, collections: {} });
    expect(await room.sql("SELECT name FROM sqlite_master WHERE name LIKE 'deltaroom_%'")).toEqual([]);
  });

  it("says by its ETag whether anything has changed, also over hibernation", async () => {
    const room = newTestRoom();
    const alice = await room.join();
    await alice.commit(put("shapes", "s", { x: 1, y: 1 }));
    const etag = await etagOf(room);
    expect(etag).toBe(`"${alice.copy.epoch}.1"`);
    for (let turn = 0; turn < 2; turn++) {
      const unchanged = await room.get({ headers: { "If-None-Match": etag } });
      expect(unchanged.status).toBe(304);
      expect(await unchanged.text()).toBe("");
      await room.evict();
    }
    await alice.commit(put("shapes", "s", { x: 2, y: 2 }));
    const changed = await room.get({ headers: { "If-None-Match": etag } });
    expect(changed.status).toBe(200);
    expect(await changed.json()).toMatchObject({ rev: 2, collections: { shapes: { s: { x: 2, y: 2 } } } });
    expect(await etagOf(room)).toBe(`"${alice.copy.epoch}.2"`);
  });

  it.each([
    ["made weak on the way by a proxy that compresses", (etag: string) => `W/${etag}`],
    ["among others", (etag: string) => `"old", ${etag}, "older"`],
  ])("knows its ETag %s", async (_, header) => {
    const room = newTestRoom();
    await (await room.join()).commit(put("shapes", "s", { x: 1, y: 1 }));
    const etag = await etagOf(room);
    expect((await room.get({ headers: { "If-None-Match": header(etag) } })).status).toBe(304);
  });

  it("of a large state comes in pieces that are valid JSON, all of one revision, whatever is committed meanwhile", async () => {
    const room = newSmallRoom();
    const alice = await room.join();
    for (let batch = 0; batch < 6; batch++) {
      const calls = Array.from({ length: 50 }, (_, index) =>
        put("notes", `note-${batch}-${index} "ü\\🌍`, { text: `${batch} "quoted" \\ü🌍\u2028 `.repeat(100) }),
      );
      await alice.commit(...calls);
    }
    const response = await room.get();
    await alice.commit(
      ["addTask", { id: "t", title: "after the answer began" }],
      put("notes", "late", { text: "" }),
    );
    const pieces: string[] = [];
    const decoder = new TextDecoder();
    for await (const piece of response.body ?? []) pieces.push(decoder.decode(piece, { stream: true }));
    expect(pieces.length).toBeGreaterThan(4);
    const state = JSON.parse(pieces.join("")) as { rev: number; collections: Record<string, object> };
    expect(state.rev).toBe(300);
    expect(Object.keys(state.collections["notes"] ?? {})).toHaveLength(300);
    expect(state.collections["tasks"]).toEqual({});
  });
});
