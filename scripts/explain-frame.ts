/**
 * Prints frames as text: `npm run frame -- [--room demo/board.ts] [FRAME…]`, without a frame one a line of the input.
 *
 * A frame is given in hex or base64, as browsers copy it from the list of a socket's messages, or as its text. Names
 * in pushes are shown as numbers unless `--room` says which module exports the room's definition.
 */
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import type { AnyRoomDefinition } from "../src/schema/definition.ts";
import { explainFrame } from "../src/protocol/explain.ts";
import { nameTable, type NameTable } from "../src/protocol/names.ts";

const { values, positionals } = parseArgs({
  options: { room: { type: "string" } },
  allowPositionals: true,
});

const names = values.room === undefined ? undefined : await namesIn(values.room);
const given = positionals.length > 0 ? positionals : (await text(process.stdin)).split("\n");
for (const frame of given.map((line) => line.trim()).filter((line) => line !== "")) {
  try {
    console.log(explainFrame(dataOf(frame), names));
  } catch (error) {
    process.exitCode = 1;
    console.error(`${frame.slice(0, 40)}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function dataOf(given: string): string | Uint8Array {
  if (given.startsWith("{") || given === "ping" || given === "pong") return given;
  const hex = given.replaceAll(/\s|^0x/g, "");
  const isHex = /^([0-9a-f]{2})+$/i.test(hex);
  return new Uint8Array(Buffer.from(isHex ? hex : given, isHex ? "hex" : "base64"));
}

async function namesIn(path: string): Promise<NameTable> {
  const module = (await import(pathToFileURL(resolve(path)).href)) as { [name: string]: unknown };
  const found = Object.values(module).filter(isDefinition);
  const [definition] = found;
  if (definition === undefined || found.length > 1)
    throw new Error(`${path} exports ${found.length} room definitions, and not one`);
  return nameTable(definition);
}

function isDefinition(value: unknown): value is AnyRoomDefinition {
  return typeof value === "object" && value !== null && "collections" in value && "mutators" in value;
}
