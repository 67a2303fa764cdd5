import { z } from "zod";
import { defineRoom } from "../../../src/index.ts";

/** A room of texts, for readers who do not read. */
export const pool = defineRoom({
  version: 1,
  collections: { texts: z.object({ text: z.string() }) },
  direct: ["texts"],
});

/** Under this path is a room that sends all that it is sent to everybody, at once and without a second thought. */
export const naivePath = "/naive";
/** What the runtime prints when it makes a room of that kind, or wakes it. */
export const wokenText = "room-woken";
