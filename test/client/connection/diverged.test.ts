import { expect, test } from "vitest";
import type { Transport } from "../../../client/index.ts";
import type { Checksums } from "../../../src/model/checksum.ts";
import type { Fields } from "../../../src/model/json.ts";
import { State } from "../../../src/model/state.ts";
import { bytesOfHex, hexOf } from "../../support/frames/hex.ts";
import { newTestRoom, put, patch } from "../../support/rooms/test-rooms.ts";
import { approach, expectAgreement, hushed, until, viewOf } from "../../support/clients/joined-client.ts";
import { joined, type ScriptedSocket } from "../../support/rooms/scripted-room.ts";

/** The fields x and y with the values 5 and 7, where a delta names them for the first time; and with another x. */
const said = "01780179 05 07".replaceAll(" ", "");
const heard = "01780179 04 07".replaceAll(" ", "");

/** A way on which some bytes, in the first message in which they occur, come out as others. Both in hex. */
function garbled(transport: Transport, bytes: string, become: string): Transport {
  let isDone = false;
  return (url, protocols) => {
    const socket = transport(url, protocols);
    return {
      send: (frame) => socket.send(frame),
      close: (code, reason) => socket.close(code, reason),
      addEventListener: (type, listener) =>
        socket.addEventListener(type, (event) => {
          const hex = event.data instanceof ArrayBuffer ? hexOf(new Uint8Array(event.data)) : "";
          if (isDone || !hex.includes(bytes)) return listener(event);
          isDone = true;
          listener({ data: bytesOfHex(hex.replace(bytes, become)).buffer });
        }),
    };
  };
}

test("a bit that falls over on the way is noticed, told to the app and to the operator, and healed by a snapshot", async () => {
  const log = hushed("warn");
  const at = newTestRoom();
  const alice = await at.join();
  const seen: number[] = [];
  const bob = approach(at, {}, (transport) => garbled(transport, said, heard));
  bob.room.observe("shapes", () => seen.push(bob.room.rev));
  const told: string[] = [];
  bob.room.on("error", ({ code, willRetry, message }) => told.push(`${code} ${willRetry} ${message}`));
  await bob.room.ready;
  const own = bob.room.mutate.addUp({ id: "mine", by: 1 });
  await own.committed;
  await alice.commit(put("shapes", "s", { x: 5, y: 7 }));
  await until(() => bob.room.state.shapes.get("s")?.x === 4);
  // Nobody has noticed yet: the next to come says what the state should be.
  bob.link.cut();
  bob.link.mend();
  await until(() => bob.room.state.shapes.get("s")?.x === 5);
  await expectAgreement(at, bob);
  expect(bob.errors.splice(0)).toEqual(["diverged"]);
  expect(told).toEqual(["diverged true at revision 2 the copy of shapes was not what the room has"]);
  expect(bob.link.up.filter(({ kind }) => kind === "resync")).toMatchObject([
    { epoch: null, diverged: ["shapes"] },
  ]);
  expect(log.mock.calls.join()).toContain('"event":"client-diverged"');
  expect(log.mock.calls.join()).toContain('"collections":["shapes"],"rev":2,"count":1');
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));

  await alice.commit(patch("shapes", "s", { x: 6 }));
  await until(() => viewOf(bob.room)["shapes"]?.["s"]?.["x"] === 6);
  await expectAgreement(at, bob);
});

test("a call that waits while the copy is healed stays, and commits once", async () => {
  hushed("warn");
  const at = newTestRoom();
  const alice = await at.join();
  const bob = approach(at, {}, (transport) => garbled(transport, said, heard));
  await bob.room.ready;
  bob.link.hold("up");
  const call = bob.room.mutate.addUp({ id: "mine", by: 1 });
  await alice.commit(put("shapes", "s", { x: 5, y: 7 })); // the first flush carries the checksums
  await until(() => bob.errors.length > 0);
  expect(bob.room.state.shapes.get("mine")?.x).toBe(1);
  bob.link.release("up");
  expect(await call.committed).toEqual({ rev: 2 });
  expect(await expectAgreement(at, bob)).toEqual({ shapes: { s: { x: 5, y: 7 }, mine: { x: 1, y: 0 } } });
  expect(bob.errors.splice(0)).toEqual(["diverged"]);
});

test("a snapshot that differs is told of once, and not asked for again before the next connection", async () => {
  hushed("warn");
  const { room, socket, server } = await joined({ records: { shapes: { s: { x: 1, y: 1 } } }, rev: 1 });
  const told: string[] = [];
  room.on("error", ({ code, willRetry }) => told.push(`${code} ${willRetry}`));
  const isToldOf = (count: number) => until(() => told.length === count);
  const wrong = { shapes: 12_345 };
  socket.delta(1, {}, { checksums: wrong });
  await isToldOf(1);
  expect(socket.frames("resync")).toMatchObject([{ tag: 1, diverged: ["shapes"] }]);
  const records = [["s", { x: 1, y: 1 }]] as [string, { x: number; y: number }][];
  socket.say({ kind: "snapshot", part: 0, collection: "shapes", from: "", until: null, records });
  socket.update({
    tag: 1,
    lastCallId: 0,
    parts: 1,
    delta: { from: 2, to: 2, changes: {} },
    checksums: wrong,
  });
  await isToldOf(2);
  socket.delta(2, {}, { checksums: wrong });
  expect(told).toEqual(["diverged true", "diverged false"]);
  expect(socket.frames("resync")).toHaveLength(1);
  expect([room.status, room.rev]).toEqual(["online", 3]);

  socket.drop();
  const next = await server.attempt(2);
  next.greetAgain({ checksums: wrong });
  expect(next.frames("resync")).toHaveLength(1);
});

test("the checksums of a delta that is skipped say nothing of what is here", async () => {
  const { room, socket } = await joined({ rev: 5 });
  const told: string[] = [];
  room.on("error", ({ code }) => told.push(code));
  socket.delta(3, {}, { checksums: { shapes: 1 } });
  expect(told).toEqual([]);
  expect(socket.frames("resync")).toEqual([]);
});

const counters = { c: { value: 7 } };

/** A client whose snapshot came in two parts and without checksums, so that neither part is added up yet. */
async function withUncounted(): Promise<{ socket: ScriptedSocket; told: string[] }> {
  const { room, socket } = await joined({ records: { shapes: { s: { x: 1, y: 1 } }, counters }, rev: 1 });
  const told: string[] = [];
  room.on("error", ({ code, message }) => told.push(`${code} ${message}`));
  return { socket, told };
}

test("a comparison goes on over the updates that overtake it, and finds what differed when it began", async () => {
  hushed("warn");
  const { socket, told } = await withUncounted();
  socket.delta(1, {}, { checksums: { ...checksumsOf({}), shapes: 12_345 } });
  socket.delta(2, { shapes: [["put", "t", { x: 2, y: 2 }]] });
  socket.delta(3, { shapes: [["put", "s", { x: 3, y: 3 }]] });
  await until(() => told.length === 1);
  expect(told).toEqual(["diverged at revision 2 the copy of shapes was not what the room has"]);
  expect(socket.frames("resync")).toMatchObject([{ tag: 1, epoch: null, diverged: ["shapes"] }]);
});

test("a comparison takes no change of the updates that overtake it for a difference", async () => {
  const { socket, told } = await withUncounted();
  const checksums = checksumsOf({ s: { x: 1, y: 1 } });
  socket.delta(1, {}, { checksums });
  socket.delta(2, { shapes: [["put", "t", { x: 2, y: 2 }]] });
  socket.delta(3, { shapes: [["patch", "s", { x: 3 }]] });
  socket.delta(4, { shapes: [["delete", "t"]] });
  await new Promise((resolve) => setTimeout(resolve, 50)); // the comparison ends by timers of 0 ms
  expect(told).toEqual([]);
  socket.delta(5, {}, { checksums: checksumsOf({ s: { x: 3, y: 1 } }) });
  expect(told).toEqual([]);
  socket.delta(6, {}, { checksums });
  expect(told).toHaveLength(1);
});

/** Of a room with these shapes and the counters. */
function checksumsOf(shapes: { readonly [id: string]: Fields }): Checksums {
  const state = new State();
  for (const [collection, records] of Object.entries({ shapes, counters }))
    for (const [id, record] of Object.entries(records)) state.set(collection, id, record);
  return state.checksums;
}
