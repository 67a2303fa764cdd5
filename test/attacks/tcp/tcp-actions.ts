import { setTimeout as sleep } from "node:timers/promises";
import type { Code } from "../../../src/protocol/codes.ts";
import { codes } from "../../../src/protocol/codes.ts";
import { readFrame } from "../../support/frames/decoded-frames.ts";
import {
  encodeFrame,
  RawSocket,
  upgradeRequest,
  type Heard,
  type RawFrame,
} from "../../reliability/clients/raw-socket.ts";
import type { Answer } from "../attack.ts";
import type { attacks } from "../attacks.ts";

/** What the attackers of one row have: the URL of the room. */
export type TcpAction = (url: string) => Promise<readonly Answer[]>;

type TcpId = Extract<(typeof attacks)[number], { readonly channel: "TCP" }>["id"];

let attackers = 0;
const newHello = () => ({
  secret: `secret-of-attacker-${++attackers}`,
  schema: 1,
  epoch: null,
  rev: 0,
  confirmed: 0,
  knownSince: null,
});

const bytes = (text: string) => Buffer.from(text, "latin1");
const text = (payload: Uint8Array, rest: Partial<RawFrame> = {}): RawFrame => ({
  opcode: 1,
  payload,
  ...rest,
});

/** A WebSocket that has caught up. */
async function join(url: string): Promise<RawSocket> {
  const raw = await RawSocket.upgrade(url, newHello());
  await raw.until((heard) => heard.kind === "text" && heard.text.includes('"kind":"peers"'));
  return raw;
}

/** What a message of the room says to whoever has attacked; undefined for what everybody is sent. */
function answerIn(heard: Heard): Answer | undefined {
  if (heard.kind === "close") {
    const code = codes[heard.reason as Code] as { closeCode: number } | undefined;
    return code?.closeCode === heard.code ? `closed ${heard.reason as Code}` : `closed ${heard.code}`;
  }
  if (heard.kind === "text" && heard.text.includes('"kind":"error"'))
    return `error ${(JSON.parse(heard.text) as { code: Code }).code}`;
  if (heard.kind !== "bytes") return undefined;
  const frame = readFrame(heard.bytes);
  const [outcome] = frame.kind === "update" ? (frame.outcomes ?? []) : [];
  if (outcome === undefined) return undefined;
  return typeof outcome[1] === "number" ? "accepted" : `rejected ${outcome[1].code}`;
}

/** Of each attempt, made by somebody of their own, the first answer; "nothing" when there is none while others go on. */
const sendEach =
  (...attempts: readonly (readonly (RawFrame | Uint8Array)[])[]): TcpAction =>
  async (url) => {
    const answers: Answer[] = [];
    for (const attempt of attempts) {
      const raw = await join(url);
      for (const frame of attempt) raw.write(frame instanceof Uint8Array ? frame : encodeFrame(frame));
      const heard = await raw.until((message) => answerIn(message) !== undefined, 700).catch(() => []);
      answers.push(heard.map(answerIn).findLast((answer) => answer !== undefined) ?? "nothing");
      raw.end();
    }
    return answers;
  };

/** The answer to each request; throws when there is more than one. */
const askEach =
  (...requests: readonly ((url: string) => string | Uint8Array)[]): TcpAction =>
  async (url) => {
    const answers: Answer[] = [];
    for (const request of requests) {
      const raw = await RawSocket.connect(url);
      raw.write(request(url));
      const head = await raw.untilHead();
      await sleep(50);
      const all = raw.received.toString("latin1");
      if (all.split("HTTP/1.1 ").length > 2) throw new Error(`there was another answer: ${all}`);
      const status = Number(/^HTTP\/1.1 (\d+)/.exec(head)?.[1] ?? Number.NaN);
      const code = /"error":\{"code":"([a-z-]+)"/.exec(all)?.[1] as Code | undefined;
      answers.push(
        Number.isNaN(status) ? "cut" : code === undefined ? `HTTP ${status}` : `HTTP ${status} ${code}`,
      );
      raw.end();
    }
    return answers;
  };

const lines = (...all: readonly string[]) => `${all.join("\r\n")}\r\n\r\n`;
const get =
  (...headers: readonly string[]) =>
  () =>
    lines("GET /rooms/attacked HTTP/1.1", "Host: x", ...headers);
const post =
  (body: string, ...headers: readonly string[]) =>
  () =>
    lines("POST /rooms/attacked HTTP/1.1", "Host: x", ...headers) + body;
const hidden = lines("GET /rooms/hidden HTTP/1.1", "Host: x");
const upgrade = (headers: Record<string, string>) => (url: string) =>
  upgradeRequest(url, newHello(), headers);

/** An edit of the record that is there already, of which the text has been garbled on the way. */
const garbledEdit = (garbled: string) =>
  `{"kind":"push","first":1,"confirmed":0,"calls":[[0,"transact",{"shapes":[["patch","kept",{"text":"${garbled}"}]]}]]}`;

export const tcpActions: { readonly [Id in TcpId]: TcpAction } = {
  "utf8-text": sendEach(
    ...["\xff\xfe", "\xc0\xaf", '"\xed\xa0\x80"', "\xf8\x88\x80\x80\x80", '{"kind":"\xff"}'].map(
      (garbled) => [text(bytes(garbled))],
    ),
    [text(bytes(garbledEdit("\xff")))],
  ),
  unmasked: sendEach([text(bytes("hello?"), { isMasked: false })], [text(bytes("{}"), { isMasked: false })]),
  "reserved-bits": sendEach(
    ...[1, 2, 4, 7].map((reserved) => [text(bytes("hello?"), { reserved })]),
    ...[3, 7, 11, 15].map((opcode) => [{ opcode, payload: bytes("hello?") }]),
  ),
  "control-frames": sendEach(...[8, 9, 10].map((opcode) => [{ opcode, payload: bytes("x"), fin: false }])),
  "huge-frame": sendEach(
    ...[26n, 62n, 63n].map((power) => [text(bytes("x"), { claimedLength: 2n ** power })]),
  ),
  "large-frame": sendEach([text(Buffer.alloc(30_000_000, " "))]),
  "endless-fragments": sendEach(
    [text(bytes('{"kind":'), { fin: false })],
    [
      text(bytes("x"), { fin: false }),
      ...Array.from({ length: 500 }, () => ({ opcode: 0, payload: bytes("x".repeat(1_000)), fin: false })),
    ],
  ),
  continuation: sendEach(
    [{ opcode: 0, payload: bytes("x") }],
    [text(bytes("x"), { fin: false }), text(bytes("y"))],
  ),
  "odd-closes": sendEach(
    ...[[0x78], [0, 5], [3, 237], [3, 238], [0xff, 0xff], [3, 232, 0xff, 0xfe]].map((payload) => [
      { opcode: 8, payload: new Uint8Array(payload) },
    ]),
  ),
  "half-handshake": async (url) => {
    const begun = await Promise.all(Array.from({ length: 50 }, async () => await RawSocket.connect(url)));
    for (const [index, raw] of begun.entries())
      raw.write(upgradeRequest(url, newHello()).slice(0, 20 + index * 4));
    await sleep(500);
    const answered = begun.filter(({ received }) => received.length > 0);
    for (const raw of begun) raw.end();
    return answered.length === 0 ? ["nothing"] : ["cut"];
  },
  "half-frame": async (url) => {
    for (let time = 0; time < 50; time++) {
      const raw = await join(url);
      raw.write(encodeFrame(text(bytes('{"kind":"ack","bytes":0}'))).subarray(0, time % 30));
      await sleep(1);
      raw.end();
    }
    return ["nothing"];
  },
  smuggling: askEach(
    post("hello", "Content-Length: 5", "Content-Length: 6"),
    post("", "Content-Length: -5"),
    post("", "Content-Length: 5x"),
    post("0\r\n\r\n", "Transfer-Encoding: xchunked"),
    post("0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    get("X-A: b", " c"),
    get("X-A : b"),
  ),
  "smuggled-body": async (url) => [
    ...(await askEach(post(`0\r\n\r\n${hidden}`, "Content-Length: 5", "Transfer-Encoding: chunked"))(url)),
    ...(await askEach(post(hidden, `Content-Length: ${hidden.length}`))(url)),
    ...(await askEach(() => get(`Content-Length: ${hidden.length}`)() + hidden)(url)),
  ],
  "odd-requests": askEach(
    () => lines("GET /rooms/attacked"),
    () => lines("GET /rooms/attacked HTTP/3.0", "Host: x"),
    () => lines("GET /rooms/attacked HTTP/1.1"),
    () => lines("GET /rooms/at\0tacked HTTP/1.1", "Host: x"),
    get("X: a\0b"),
    () => bytes(lines("GET /rooms/\xff\xfe HTTP/1.1", "Host: x")),
    () => new Uint8Array([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 13, 10, 13, 10]),
    () => "\r\n\r\n\r\n\r\nxxxxxxx\r\n\r\n",
  ),
  "odd-hosts": askEach(
    get("Host: y"),
    ...["[", "x:99999", "a b", "%", "x:y", "<x>"].map(
      (host) => () => lines("GET /rooms/attacked HTTP/1.1", `Host: ${host}`),
    ),
  ),
  "other-host": askEach(
    () => lines("GET http://evil.example/rooms/attacked HTTP/1.1", "Host: x"),
    () => lines("GET /rooms/attacked HTTP/1.1", "Host: evil.example"),
  ),
  "folded-path": askEach(
    ...[
      "/rooms/../rooms/attacked",
      "/rooms/x/../attacked",
      "/rooms/./attacked",
      "/rooms/%2e/attacked",
      "/rooms/x/%2E%2e/attacked",
      "/x/../rooms/attacked",
      "/rooms/x\\..\\attacked",
      "/rooms\\attacked",
      "/rooms/x/../attacked?x=1",
    ].map((path) => () => lines(`GET ${path} HTTP/1.1`, "Host: x")),
  ),
  "huge-header": askEach(get(`X: ${"a".repeat(1_000_000)}`)),
  "upgrade-method": askEach(
    ...["POST", "PUT", "OPTIONS"].map(
      (method) => (url: string) => upgradeRequest(url, newHello()).replace("GET", method),
    ),
  ),
  "odd-websocket": askEach(
    upgrade({ "Sec-WebSocket-Key": "" }),
    upgrade({ "Sec-WebSocket-Version": "8" }),
    upgrade({ "Sec-WebSocket-Version": "" }),
  ),
  "huge-hello": async (url) => {
    const raw = await RawSocket.connect(url);
    raw.write(
      upgradeRequest(url, {}, { "Sec-WebSocket-Protocol": `deltaroom.v1, hello.${"a".repeat(100_000)}` }),
    );
    const head = await raw.untilHead();
    const close = raw.received.subarray(head.length);
    raw.end();
    const code = close.length < 4 ? 0 : close.readUInt16BE(2);
    return code === codes.invalid.closeCode ? ["closed invalid"] : [`closed ${code}`];
  },
};
