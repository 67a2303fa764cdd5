import { exports } from "cloudflare:workers";
import { afterAll, describe, expect, it } from "vitest";
import protocol from "../../docs/PROTOCOL.md?raw";
import { board } from "../../demo/board.ts";
import { frameBytes } from "../../src/protocol/codec.ts";
import { codes } from "../../src/protocol/codes.ts";
import { explainFrame } from "../../src/protocol/explain.ts";
import { helloSchema } from "../../src/protocol/handshake/hello.ts";
import { encodeHello } from "../../src/protocol/handshake/hello-text.ts";
import { nameTable } from "../../src/protocol/names.ts";
import { subprotocol } from "../../src/protocol/version.ts";
import { bytesOfHex, hexOf } from "../support/frames/hex.ts";

const session = /```session\n([\s\S]*?)```/.exec(protocol)?.[1] ?? "";
const lines = session.trim().split("\n");
/** The epoch that the page shows; every room has its own. */
const epochOnPage = /"epoch":"([0-9a-f]+)"/.exec(session)?.[1] ?? "";
const names = nameTable(board);

interface Line {
  readonly who: string;
  readonly what: string;
  readonly text: string;
}

function parse(line: string): Line {
  const [who = "", what = "", ...rest] = line.split(" ");
  return { who, what, text: rest.join(" ") };
}

/** A frame as the page shows it: text, or bytes in hex and on the next line what they mean. */
function shown(who: string, direction: string, frame: string | Uint8Array): string[] {
  const head = `${who} ${direction} ${frameBytes(frame)}`;
  if (typeof frame === "string") return [`${head} ${frame}`];
  return [`${head} ${hexOf(frame)}`, `    ${explainFrame(frame, names)}`];
}

/** The frame of a line, behind its length. */
function frameOf(text: string): string | Uint8Array {
  const frame = text.slice(text.indexOf(" ") + 1);
  return frame.startsWith("{") ? frame : bytesOfHex(frame);
}

/** A socket that hands out what it receives in order. */
class Listener {
  readonly #socket: WebSocket;
  readonly #frames: (string | Uint8Array)[] = [];
  #wake: () => void = () => {};

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.accept();
    socket.addEventListener("message", ({ data }) => {
      this.#frames.push(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer));
      this.#wake();
    });
  }

  send(frame: string | Uint8Array): void {
    this.#socket.send(frame);
  }

  cut(): void {
    this.#socket.close(1000);
  }

  async next(): Promise<string | Uint8Array> {
    while (this.#frames.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#frames.shift() as string | Uint8Array;
  }
}

describe("the worked session of docs/PROTOCOL.md", () => {
  const url = `https://rooms.test/rooms/${crypto.randomUUID()}`;
  const listeners = new Map<string, Listener>();
  let epoch = epochOnPage;

  afterAll(() => listeners.forEach((listener) => listener.cut()));

  async function connect(who: string, hello: string): Promise<void> {
    const parsed = helloSchema.parse(JSON.parse(hello.replace(epochOnPage, epoch)));
    const headers = {
      Upgrade: "websocket",
      "Sec-WebSocket-Protocol": `${subprotocol}, ${encodeHello(parsed)}`,
    };
    const { webSocket } = await exports.default.fetch(url, { headers });
    if (webSocket === null) throw new Error("no socket");
    listeners.set(who, new Listener(webSocket));
  }

  it("has both clients, frames in both directions, and both forms of them", () => {
    expect(lines.length).toBeGreaterThan(30);
    const meanings = lines.filter((line) => line.startsWith("    "));
    expect(meanings.length).toBeGreaterThan(10);
    const others = lines.filter((line) => !meanings.includes(line));
    expect(new Set(others.map((line) => parse(line).who))).toEqual(new Set(["ada", "ben"]));
    expect(new Set(others.map((line) => parse(line).what))).toEqual(new Set(["hello", ">", "<", "cut"]));
  });

  async function receive(listener: Listener | undefined): Promise<string | Uint8Array> {
    const frame = (await listener?.next()) ?? "";
    if (typeof frame !== "string") return frame;
    epoch = /"welcome","epoch":"([0-9a-f]+)"/.exec(frame)?.[1] ?? epoch;
    return frame.replaceAll(epoch, epochOnPage);
  }

  /** Plays the page's part of the clients, and answers the page as the room would have it. */
  async function replay(): Promise<string[]> {
    const replayed: string[] = [];
    for (const line of lines.filter((line) => !line.startsWith("    "))) {
      const { who, what, text } = parse(line);
      const listener = listeners.get(who);
      if (what === "hello") await connect(who, text);
      if (what === "cut") listener?.cut();
      if (what === ">") {
        // Whatever is flushed together shares a frame; the page shows each by itself.
        await new Promise((resolve) => setTimeout(resolve, 40));
        listener?.send(frameOf(text));
        replayed.push(...shown(who, ">", frameOf(text)));
      } else if (what === "<") {
        replayed.push(...shown(who, "<", await receive(listener)));
      } else {
        replayed.push(line);
      }
    }
    return replayed;
  }

  it("is what a room really says, byte for byte", async () => {
    expect(await replay()).toEqual(lines);
  });
});

describe("the table of codes in docs/PROTOCOL.md", () => {
  it("has a row for each code, and says what the code says", () => {
    const rows = [...protocol.matchAll(/^\| `([a-z-]+)` \| (retry|final) \| (\d+) \| (\d+) \| (.*) \|$/gm)];
    const table = Object.fromEntries(
      rows.map(([, code = "", advice, closeCode, status, sentence]) => {
        return [code, { advice, closeCode: Number(closeCode), status: Number(status), sentence }];
      }),
    );
    expect(table).toEqual(codes);
  });
});
