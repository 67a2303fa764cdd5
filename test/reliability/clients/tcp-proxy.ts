import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { decodeHello } from "../../../src/protocol/handshake/hello.ts";
import { clientIdOf } from "../../../src/protocol/handshake/client-secret.ts";

/** One TCP connection of a client: the near end is the client's, the far end is the room's. */
export class Line {
  /** Who is on it; known from its hello on, and undefined for a request without one. */
  clientId: string | undefined;
  readonly #near: Socket;
  readonly #far: Socket;
  #isHeld = false;

  constructor(near: Socket, far: Socket) {
    this.#near = near;
    this.#far = far;
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true);
      from.pipe(to, { end: false });
      from.on("error", () => {}); // its close follows
      from.on("close", () => this.#isHeld || to.destroy());
      from.on("end", () => this.#isHeld || to.end());
    }
    near.once("data", (head: Buffer) => (this.clientId = clientOf(head.toString("latin1"))));
  }

  /** Whether the room has this connection, as far as TCP knows. */
  get isOpen(): boolean {
    return !this.#far.destroyed;
  }

  /** Whether a client is on the near end, and what it says is passed on. */
  get isWhole(): boolean {
    return this.isOpen && !this.#near.destroyed && !this.#isHeld;
  }

  /** Ends both ends at once, with no close handshake. */
  cut(): void {
    this.#near.destroy();
    this.#far.destroy();
  }

  /** The client is gone and the room is told nothing: half a connection, on which nobody reads, until it is `cut`. */
  halve(): void {
    this.#isHeld = true;
    this.#far.unpipe();
    this.#far.pause();
    this.#near.destroy();
  }

  /** Passes nothing on, either way, and tells nobody; until it is `cut`. */
  freeze(): void {
    this.#isHeld = true;
    for (const end of [this.#near, this.#far]) {
      end.unpipe();
      end.pause();
    }
  }

  /** The client reads nothing more, and what it sends is passed on; until `unstall`. */
  stall(): void {
    this.#far.unpipe(this.#near);
    this.#far.pause();
  }

  unstall(): void {
    this.#far.pipe(this.#near, { end: false });
  }

  /** What the room sends comes late, and is acknowledged late. */
  delay(ms: number): void {
    if (!this.isWhole) return;
    this.#far.unpipe(this.#near);
    this.#far.pause();
    setTimeout(() => this.isWhole && this.#far.pipe(this.#near, { end: false }), ms);
  }
}

/** Stands between clients and a server on 127.0.0.1, so that their connections can fail as they do in the world. */
export class Exchange {
  readonly #server: Server;
  readonly #lines = new Set<Line>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    server.on("connection", (near) => {
      const far = connect(port, "127.0.0.1");
      const line = new Line(near, far);
      this.#lines.add(line);
      far.on("close", () => this.#lines.delete(line));
    });
  }

  /** `url`: the server's. */
  static async open(url: string): Promise<Exchange> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Exchange(server, Number(new URL(url).port));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Those that the server has. */
  get lines(): readonly Line[] {
    return [...this.#lines];
  }

  /** The connection that a client is on now. */
  lineOf(clientId: string): Line | undefined {
    return this.lines.findLast((line) => line.clientId === clientId && line.isWhole);
  }

  close(): void {
    this.#server.close();
    for (const line of this.#lines) line.cut();
  }
}

/** The client that a handshake is of. */
function clientOf(head: string): string | undefined {
  const offered = /^Sec-WebSocket-Protocol: *(.*?)\r?$/im.exec(head)?.[1] ?? "";
  const hello = decodeHello(offered.split(",").map((name) => name.trim()));
  return hello && clientIdOf(hello.secret);
}
