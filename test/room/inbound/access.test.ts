import * as z from "zod";
import { describe, expect, it } from "vitest";
import type { Identity } from "../../../src/room/sessions/admission.ts";
import { defineRoom } from "../../../src/schema/define-room.ts";
import { withLoneRoom } from "../../support/rooms/lone-room.ts";
import { put } from "../../support/rooms/test-rooms.ts";

const edit = put("shapes", "s", { x: 1, y: 1 });
const definition = defineRoom({
  version: 3,
  roles: ["editor", "guest"],
  collections: { shapes: z.object({ x: z.number(), y: z.number() }) },
  direct: ["shapes"],
});

describe("the room requires exactly `read` or `write`", () => {
  it.each([undefined, null, "", "writer", "Write", ["write"], true])("and not %j", async (access) => {
    await withLoneRoom({}, (room) => {
      const identity = { user: null, access } as unknown as Identity; // as a Worker of other code may send it
      expect(() => room.join("actor-odd", {}, identity)).toThrow("unauthorized");
    });
  });

  it("and runs no call of a client with `read`, whatever its role", async () => {
    await withLoneRoom({}, (room) => {
      const guest = room.join("actor-guest", {}, { user: null, access: "read", role: "writer" });
      expect(guest.copy.welcome).toMatchObject({ access: "read", role: "writer" });
      guest.push(edit);
      expect(guest.take()).toMatchObject([{ kind: "update", outcomes: [[1, { code: "forbidden" }]] }]);
      expect(room.collections).toEqual({});
    });
  });
});

describe("a room whose definition lists its roles", () => {
  it("refuses a client with another role, also over HTTP", async () => {
    await withLoneRoom({ definition }, (room) => {
      const identity: Identity = { user: null, access: "write", role: "edit0r" };
      expect(() => room.join("actor-odd", {}, identity)).toThrow("unauthorized");
      expect(() => room.room.viewOf(identity)).toThrow("this room does not have the access or the role");
    });
  });

  it("admits a client with one of them, or with none", async () => {
    await withLoneRoom({ definition }, (room) => {
      const editor = room.join("actor-editor", {}, { user: null, access: "write", role: "editor" });
      expect(editor.copy.welcome).toMatchObject({ role: "editor" });
      expect(room.join("actor-other", {}, { user: null, access: "write" }).copy.welcome).not.toHaveProperty(
        "role",
      );
    });
  });
});
