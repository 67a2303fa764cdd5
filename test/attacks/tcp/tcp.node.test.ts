import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Bystanders } from "../../reliability/clients/bystanders.ts";
import { oddLines } from "../../reliability/process/log.ts";
import { RawSocket } from "../../reliability/clients/raw-socket.ts";
import { Workerd } from "../../reliability/process/workerd.ts";
import { attacks } from "../attacks.ts";
import { tcpActions } from "./tcp-actions.ts";

const patienceMs = 3_000;
const rows = attacks.filter((attack) => attack.channel === "TCP");
let server: Workerd;
let bystanders: Bystanders;

beforeAll(async () => {
  server = await Workerd.start();
  bystanders = await Bystanders.open(`${server.url}/rooms/attacked`);
  await layDown(`${server.url}/rooms/attacked`);
  await bystanders.round(patienceMs);
}, 60_000);

afterAll(async () => {
  bystanders.close();
  await server.stop();
  const worstMs = Math.round(bystanders.worstMs);
  console.log(
    `${rows.length} attacks; ${bystanders.rounds} round trips of bystanders, the longest ${worstMs} ms`,
  );
});

/** The record that attackers may write over with the same. */
async function layDown(url: string): Promise<void> {
  const hello = {
    secret: "secret-of-the-owner-of-it",
    schema: 1,
    epoch: null,
    rev: 0,
    confirmed: 0,
    knownSince: null,
  };
  const owner = await RawSocket.upgrade(url, hello);
  const kept = { kind: "note", x: 0, y: 0, color: "sea", text: "\ufffd" };
  const calls = [[0, "transact", { shapes: [["put", "kept", kept]] }]];
  const push = JSON.stringify({ kind: "push", first: 1, confirmed: 0, calls });
  owner.send({ opcode: 1, payload: Buffer.from(push) });
  await owner.until((heard) => heard.kind === "bytes" && heard.bytes.includes(1));
  owner.end();
}

describe("each attack below the protocol is answered as the contract says, and nobody else notices", () => {
  it.each(rows)("$id: $does", async ({ id, answers }) => {
    const before = await bystanders.state();
    const { pid } = server;
    const over = new AbortController();
    const attack = tcpActions[id](bystanders.url).finally(() => over.abort());
    const rounds = (async () => {
      do await bystanders.round(patienceMs);
      while (!over.signal.aborted);
    })();
    const [given] = await Promise.all([attack, rounds]);
    expect(new Set(given)).toEqual(new Set(answers));
    await bystanders.round(patienceMs);
    const after = await bystanders.state();
    expect([after.epoch, after.collections]).toEqual([before.epoch, before.collections]);
    expect(bystanders.troubles).toEqual([]);
    expect(server.pid).toBe(pid);
    expect(oddLines(server.log)).toEqual([]);
  });
});
