import * as z from "zod/mini";
import { defineRoom } from "../../../src/index.ts";

const Note = z.object({
  kind: z.string(),
  x: z.number(),
  y: z.number(),
  color: z.string(),
  text: z.string(),
});

/** The room of the benchmark: notes that anybody may edit. */
export const board = defineRoom({ version: 1, collections: { notes: Note }, direct: ["notes"] });
