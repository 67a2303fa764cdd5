import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import type { AnyRoomDefinition } from "../../../src/schema/definition.ts";
import type { Attachment } from "../../../src/room/sessions/session.ts";
import type { Caller } from "../../../src/model/call.ts";
import { defineRoom } from "../../../src/index.ts";
import { nameTable } from "../../../src/protocol/names.ts";
import { idOf } from "../../support/clients/named-client.ts";
import { withLoneRoom, type LoneClient, type LoneRoom } from "../../support/rooms/lone-room.ts";
import { newTestRoom, put } from "../../support/rooms/test-rooms.ts";

const user = z.object({ id: z.string() });
const board = {
  version: 3,
  user,
  collections: { shapes: z.object({ x: z.number() }) },
  direct: ["shapes"],
  presence: z.object({ at: z.number() }),
} as const;
const before = defineRoom(board);

/** Alice and Bob, both shown to each other, in a room that then sleeps while the app is deployed anew. */
async function afterDeploy(
  deployed: AnyRoomDefinition,
  story: (room: LoneRoom, alice: LoneClient, bob: LoneClient, left: readonly string[]) => void,
): Promise<void> {
  const left: string[] = [];
  const onLeave = ({ clientId }: Caller) => void left.push(clientId);
  await withLoneRoom({ definition: before, limits: { flushIntervalMs: 0 }, rules: { onLeave } }, (room) => {
    const { hash } = nameTable(before);
    const alice = room.join("actor-alice", { names: hash }, { user: { id: "alice" }, access: "write" });
    const bob = room.join("actor-bob", {}, { user: { id: "bob" }, access: "write" });
    for (const client of [alice, bob]) client.send({ kind: "presence", presence: { at: 1 } });
    room.pass(100);
    room.redeploy(deployed);
    room.pass(100);
    story(room, alice, bob, left);
  });
}

/** What the others are owed for a session that is not taken back. */
function expectGone(room: LoneRoom, bob: LoneClient, left: readonly string[]): void {
  expect(bob.closed).toBeUndefined();
  expect(bob.copy.peers.has(idOf("actor-alice"))).toBe(false);
  expect(left).toEqual([idOf("actor-alice")]);
  bob.push(["transact", { shapes: [["put", "a", { x: 1 }]] }]);
  room.pass(100);
  expect(bob.copy.get("shapes", "a")).toEqual({ x: 1 });
}

describe("a session that has hibernated over a deploy", () => {
  it("goes on when the room's definition is the same", async () => {
    await afterDeploy(defineRoom(board), (_, alice, bob, left) => {
      expect([alice.closed, bob.closed]).toEqual([undefined, undefined]);
      expect(bob.copy.peers.has(idOf("actor-alice"))).toBe(true);
      expect(left).toEqual([]);
    });
  });

  it("is closed, and the others receive that it has left, when its pushes would mean something else", async () => {
    const renamed = defineRoom({ ...board, collections: { ...board.collections, notes: z.object({}) } });
    await afterDeploy(renamed, (room, alice, bob, left) => {
      expect(alice.closed).toEqual({ closeCode: 4500, reason: "internal" });
      expectGone(room, bob, left);
    });
  });

  it("is closed, and the others receive that it has left, when its user no longer fits the definition", async () => {
    const strict = defineRoom({ ...board, user: z.object({ id: z.string().check(z.maxLength(3)) }) });
    await afterDeploy(strict, (room, alice, bob, left) => {
      expect(alice.closed).toEqual({ closeCode: 4401, reason: "unauthorized" });
      expect(room.logged).toContain("user-refused");
      expectGone(room, bob, left);
    });
  });

  it("is closed when the schema has another version, as a join would be", async () => {
    await afterDeploy(defineRoom({ ...board, version: 4 }), (_, alice, bob, left) => {
      for (const { closed } of [alice, bob])
        expect(closed).toEqual({ closeCode: 4426, reason: "schema-mismatch" });
      expect(left.toSorted()).toEqual([idOf("actor-alice"), idOf("actor-bob")].toSorted());
    });
  });
});

describe("two hibernated sockets of one client", () => {
  it.each([
    ["older", "newer"],
    ["newer", "older"],
  ])("leave one session, that of the newer attempt: %s first", async (...order) => {
    await withLoneRoom({ limits: { flushIntervalMs: 0 } }, (room) => {
      const older = room.join("actor-alice", { attempt: 1 });
      const attachments = { older: older.attachment as Attachment };
      const newer = room.join("actor-alice", { attempt: 2 });
      Object.assign(attachments, { newer: newer.attachment });
      const bob = room.join("actor-bob");
      Object.assign(older, { closed: undefined }); // its close never reached it
      for (const client of [older, newer]) client.attachment = undefined;
      room.evict();
      const sockets = { older, newer };
      for (const which of order as ("older" | "newer")[])
        sockets[which].session = room.room.restore(
          sockets[which].socket,
          (attachments as Record<typeof which, Attachment>)[which],
        );
      expect([older.closed?.reason, newer.closed?.reason]).toEqual(["replaced", undefined]);
      newer.push(put("shapes", "a", { x: 1, y: 1 }));
      expect(bob.copy.get("shapes", "a")).toEqual({ x: 1, y: 1 });
    });
  });
});

describe("an attachment that this version of the package has not written", () => {
  it.each([
    ["of another layout", { layout: 0, said: new Uint8Array(), client: { clientId: "x" } }],
    ["of the app's own", { seat: 3 }],
    ["that is no object", "seat 3"],
    ["that is cut short", { layout: 1, said: new TextEncoder().encode('[{"id"') }],
  ])("%s closes its own socket, and no other", async (_, attachment) => {
    const room = newTestRoom();
    const alice = await room.join({ name: "actor-alice" });
    const bob = await room.join({ name: "actor-bob" });
    await room.inside((_room, ctx) => {
      const [first] = ctx.getWebSockets();
      first?.serializeAttachment(attachment);
    });
    await room.evict();
    await room.json(); // wakes the room
    const closings = [alice, bob].map(async (client) => ({ client, closing: await client.closed() }));
    const { client, closing } = await Promise.race(closings);
    expect(closing).toEqual({ closeCode: 4500, reason: "internal" });
    const other = client === alice ? bob : alice;
    expect(await other.commit(put("shapes", "a", { x: 1, y: 1 }))).toEqual([1]);
  });
});
