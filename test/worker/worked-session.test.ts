import { exports } from "cloudflare:workers";
import { afterAll, describe, expect, it } from "vitest";
import protocol from "../../docs/PROTOCOL.md?raw";
import { utf8Bytes } from "../../src/core/json.ts";
import { codes } from "../../src/protocol/codes.ts";
import { encodeHello, Hello } from "../../src/protocol/hello.ts";
import { subprotocol } from "../../src/protocol/version.ts";

const session = /```session\n([\s\S]*?)```/.exec(protocol)?.[1] ?? "";
const lines = session.trim().split("\n");
/** The epoch that the page shows; every room has its own. */
const epochOnPage = /"epoch":"([0-9a-f]+)"/.exec(session)?.[1] ?? "";

interface Line {
  readonly who: string;
  readonly what: string;
  readonly text: string;
}

function parse(line: string): Line {
  const [who = "", what = "", ...rest] = line.split(" ");
  return { who, what, text: rest.join(" ") };
}

/** A socket that hands out what it receives in order. */
class Listener {
  readonly #socket: WebSocket;
  readonly #texts: string[] = [];
  #wake: () => void = () => {};

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.accept();
    socket.addEventListener("message", ({ data }) => {
      this.#texts.push(data as string);
      this.#wake();
    });
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  cut(): void {
    this.#socket.close(1000);
  }

  async next(): Promise<string> {
    while (this.#texts.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#texts.shift() as string;
  }
}

describe("the worked session of docs/PROTOCOL.md", () => {
  const url = `https://rooms.test/rooms/${crypto.randomUUID()}`;
  const listeners = new Map<string, Listener>();
  let epoch = epochOnPage;

  afterAll(() => listeners.forEach((listener) => listener.cut()));

  async function connect(who: string, hello: string): Promise<void> {
    const parsed = Hello.parse(JSON.parse(hello.replace(epochOnPage, epoch)));
    const headers = {
      Upgrade: "websocket",
      "Sec-WebSocket-Protocol": `${subprotocol}, ${encodeHello(parsed)}`,
    };
    const { webSocket } = await exports.default.fetch(url, { headers });
    if (webSocket === null) throw new Error("no socket");
    listeners.set(who, new Listener(webSocket));
  }

  it("has both clients, and frames in both directions", () => {
    expect(lines.length).toBeGreaterThan(30);
    expect(new Set(lines.map((line) => parse(line).who))).toEqual(new Set(["ada", "ben"]));
  });

  /** Plays the page's part of the clients, and answers the page as the room would have it. */
  async function replay(): Promise<string[]> {
    const replayed: string[] = [];
    for (const line of lines) {
      const { who, what, text } = parse(line);
      const listener = listeners.get(who);
      if (what === "hello") await connect(who, text);
      if (what === "cut") listener?.cut();
      if (what === ">") {
        // Whatever is flushed together shares a frame; the page shows each by itself.
        await new Promise((resolve) => setTimeout(resolve, 40));
        listener?.send(text.slice(text.indexOf(" ") + 1));
      }
      if (what !== "<") {
        replayed.push(line);
        continue;
      }
      const received = (await listener?.next()) ?? "";
      epoch = /"welcome","epoch":"([0-9a-f]+)"/.exec(received)?.[1] ?? epoch;
      replayed.push(`${who} < ${utf8Bytes(received)} ${received.replaceAll(epoch, epochOnPage)}`);
    }
    return replayed;
  }

  it("is what a room really says, byte for byte", async () => {
    expect(await replay()).toEqual(lines);
  });

  it("shows the length of what is sent as well", () => {
    for (const { what, text } of lines.map(parse)) {
      if (what !== ">") continue;
      const space = text.indexOf(" ");
      expect(Number(text.slice(0, space))).toBe(utf8Bytes(text.slice(space + 1)));
    }
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
