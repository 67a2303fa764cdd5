/* oxlint-disable vitest/no-standalone-expect -- each is asserted within the test of a row, see play.ts */
import { exports } from "cloudflare:workers";
import { expect, vi } from "vitest";
import { codes, type Code } from "../../src/protocol/codes.ts";
import type { Hello } from "../../src/protocol/handshake/hello.ts";
import {
  newAttackRoom,
  newClosedRoom,
  newListRoom,
  newMixedRoom,
  newTightRoom,
  put,
} from "../support/rooms/test-rooms.ts";
import { WireClient, type WireOptions } from "../support/clients/wire-client.ts";
import type { Answer } from "./attack.ts";
import { watchPrototypes } from "./actions/prototypes.ts";
import { makeToken, type Grant } from "./rooms/tokens.ts";

/**
 * Who may come into a room: everybody, or whoever has a token; a room that is soon full, and the same with a user for whoever has a
 * token; and one of lists, private ones too.
 */
const rooms = {
  open: newAttackRoom,
  closed: newClosedRoom,
  tight: newTightRoom,
  mixed: newMixedRoom,
  lists: newListRoom,
};
export type RoomKind = keyof typeof rooms;

type Records = { readonly [id: string]: unknown };
type State = { [collection: string]: { [id: string]: unknown } };

/** The longest that a bystander may wait for a round trip while somebody attacks: a second, and what a busy machine adds. */
const patienceMs = 3_000;
/** What the bystander writes, again and again. */
const own = ["things", "bystander"] as const;

/** One attack: what it does, and in which room. */
export interface AttackAction {
  readonly room?: RoomKind;
  /** What has to be there before; the state is noted behind it. */
  readonly prepare?: (scene: Scene) => Promise<void>;
  /** Answers what each attempt was told. */
  readonly run: (scene: Scene) => Promise<readonly Answer[]>;
}

/** How it went, for the figures at the end. */
export interface Report {
  readonly attempts: number;
  readonly rounds: number;
  readonly worstMs: number;
  readonly answers: readonly Answer[];
}

/**
 * A room with two bystanders, of whom one writes and the other sees it, and everything that an attack must leave as it was. See
 * `play` for what is asserted around each row.
 */
export class Scene {
  readonly room: ReturnType<(typeof rooms)[RoomKind]>;
  readonly kind: RoomKind;
  /** To be put wherever an attacker can put a text: it must never be in a log. */
  readonly canary = `canary-${crypto.randomUUID()}`;
  /** What else must never be in a log. */
  readonly secrets: string[] = [this.canary];
  readonly logged: string[] = [];
  /** Everything that any attacker was told. */
  readonly told: string[] = [];
  readonly clients: WireClient[] = [];
  writer!: WireClient;
  sessionJudge!: WireClient;
  worstMs = 0;
  rounds = 0;
  #barriers = 0;
  #expected: State = {};

  private constructor(kind: RoomKind) {
    this.kind = kind;
    this.room = rooms[kind]();
  }

  /** Plays one row: asserts all that the contract says, whatever the attack is. */
  static async play(action: AttackAction, listed: readonly Answer[]): Promise<Report> {
    const scene = new Scene(action.room ?? "open");
    const methods = ["log", "info", "debug", "warn", "error"] as const;
    const spies = methods.map((method) =>
      vi
        .spyOn(console, method)
        .mockImplementation((...line: unknown[]) => void scene.logged.push(line.join(" "))),
    );
    try {
      return await scene.#play(action, listed);
    } finally {
      for (const spy of spies) spy.mockRestore();
      for (const client of scene.clients) client.cut();
    }
  }

  async #play(action: AttackAction, listed: readonly Answer[]): Promise<Report> {
    this.writer = await this.join({ token: await this.token({ user: "writer" }) });
    this.sessionJudge = await this.join({ token: await this.token({ user: "witness" }) });
    await this.#round();
    await action.prepare?.(this);
    this.#expected = await this.state();
    const instance = await this.#instance();
    const { epoch } = this.sessionJudge.copy;
    const assertPrototypes = watchPrototypes();

    const over = new AbortController();
    const rounds = (async () => {
      do await this.#round();
      while (!over.signal.aborted);
    })();
    const [done, seen] = await Promise.allSettled([action.run(this).finally(() => over.abort()), rounds]);
    if (done.status === "rejected") throw done.reason;
    if (seen.status === "rejected") throw seen.reason;
    const answers = done.value;
    await this.#round();

    expect(new Set(answers)).toEqual(new Set(listed));
    assertPrototypes();
    expect(await this.#instance()).toBe(instance);
    expect(this.sessionJudge.copy.epoch).toBe(epoch);
    expect(await this.state()).toEqual(this.#expected);
    this.#assertCopies();
    this.#assertLogs();
    this.#assertWords();
    for (const client of this.clients) if (client.violation !== undefined) throw client.violation;
    await this.#assertOnDisk();
    return { attempts: answers.length, rounds: this.rounds, worstMs: this.worstMs, answers };
  }

  // ── the room ───────────────────────────────────────────────────────────────────────────────────────────────

  /** The state without the bystander's own record, and without collections that have none. */
  async state(): Promise<State> {
    const { collections } = await this.#json();
    const { [own[1]]: _, ...things } = collections["things"] ?? {};
    const all = Object.entries({ ...collections, things });
    return Object.fromEntries(all.filter(([, records]) => Object.keys(records).length > 0));
  }

  /** An edit that the attacker may make and that was acknowledged: it has to be there at the end. */
  expectRecord(collection: string, id: string, record: object): void {
    (this.#expected[collection] ??= {})[id] = record;
  }

  /** Number of the newest journal row: how many the room has ever written. */
  async rowsWritten(): Promise<number> {
    const [row] = await this.room.sql("SELECT max(flushSeq) AS flushSeq FROM deltaroom_journal");
    return Number(row?.["flushSeq"]);
  }

  /** A token for this room and for an hour, unless another is asked for. */
  async token(grant: Partial<Grant> = {}, key?: string): Promise<string> {
    const all: Grant = {
      user: "mallory",
      access: "write",
      room: this.room.name,
      expiresAt: Date.now() + 3_600_000,
      ...grant,
    };
    const token = await makeToken(all, key);
    this.secrets.push(token);
    return token;
  }

  /** A client that has caught up. */
  async join(options: WireOptions = {}, hello: Partial<Hello> = {}): Promise<WireClient> {
    const client = this.client(options);
    await client.open(hello);
    await client.caughtUp();
    return client;
  }

  client(options: WireOptions = {}): WireClient {
    const client = new WireClient(this.room.url, options);
    this.secrets.push(client.secret);
    this.clients.push(client);
    return client;
  }

  // ── what attackers are told ────────────────────────────────────────────────────────────────────────────────

  /** Sends messages and answers what they are told, up to the flush that follows; "nothing" for nothing at all. */
  async answersTo(client: WireClient, ...messages: readonly (string | Uint8Array)[]): Promise<Answer[]> {
    client.forget();
    for (const message of messages) client.sendRaw(message);
    return await this.answersNow(client);
  }

  /**
   * What a client has been told since it last forgot, up to the flush that follows now. The client sends presence behind its attack and
   * waits for it. The room refuses that as well while the attacks have had too much work done, so it is sent again; those
   * refusals are no answers to the attack.
   */
  async answersNow(client: WireClient): Promise<Answer[]> {
    const at = ++this.#barriers;
    const isThrough = () =>
      client.closing !== undefined ||
      client.frames.some((frame) => frame.kind === "update" && hasPresence(frame, client.clientId, at));
    let refusals = 0;
    for (const until = Date.now() + barrierMs; !isThrough() && Date.now() < until;) {
      if (!client.isOpen) break;
      const before = refusalsAmong(client);
      client.setPresence({ at });
      for (let waits = 0; !isThrough() && waits < barrierRepeatMs / 10; waits++)
        await new Promise((resolve) => setTimeout(resolve, 10));
      if (!isThrough() && refusalsAmong(client) > before) refusals += 1;
    }
    if (!isThrough())
      throw new Error(`${client.clientId} was sent no presence; newest was ${String(client.raws.at(-1))}`);
    const answers = this.answersAmong(client);
    for (; refusals > 0; refusals--) answers.splice(answers.lastIndexOf("error rate-limited"), 1);
    return answers;
  }

  /** The answers among the frames that a client has. */
  answersAmong(client: WireClient): Answer[] {
    this.told.push(client.heard);
    const answers = client.frames.flatMap((frame): Answer[] => {
      if (frame.kind === "error") return [`error ${frame.code as Code}`];
      if (frame.kind === "gap") return ["gap"];
      if (frame.kind !== "update") return [];
      const state: Answer[] = frame.tag === undefined || frame.tag === 0 ? [] : ["state"];
      // A catch-up tells again what is unconfirmed.
      const outcomes = state.length > 0 ? [] : (frame.outcomes ?? []);
      return [
        ...state,
        ...outcomes.map(([, result]): Answer =>
          typeof result === "number" ? "accepted" : `rejected ${result.code}`,
        ),
      ];
    });
    if (client.closing !== undefined) answers.push(closed(client.closing.closeCode, client.closing.reason));
    return answers.length === 0 ? ["nothing"] : answers;
  }

  /** Asks over HTTP; `path` in place of the room's own. */
  async ask(init: RequestInit = {}, path: string = new URL(this.room.url).pathname): Promise<Answer> {
    const response = await exports.default.fetch(new Request(`https://rooms.test${path}`, init));
    return await this.#answerOf(response);
  }

  /** Asks to become a WebSocket, and leaves again when it was let in. */
  async knock(
    headers: Record<string, string>,
    path: string = new URL(this.room.url).pathname,
    init: RequestInit = {},
  ): Promise<Answer> {
    const request = new Request(`https://rooms.test${path}`, {
      ...init,
      headers: { Upgrade: "websocket", ...headers },
    });
    const response = await exports.default.fetch(request);
    const { webSocket } = response;
    if (webSocket === null) return await this.#answerOf(response);
    const { promise, resolve } = Promise.withResolvers<Answer>();
    webSocket.addEventListener("close", ({ code, reason }) => resolve(closed(code, reason)));
    webSocket.addEventListener("message", ({ data }) => {
      this.told.push(String(data));
      if (typeof data === "string" && data.includes('"kind":"welcome"')) resolve("welcome");
    });
    webSocket.accept();
    const answer = await promise;
    if (answer === "welcome") webSocket.close(1000, "enough");
    return answer;
  }

  /** Knocks with a hello of a client of this room's. */
  async hello(hello: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const json = typeof hello === "string" ? hello : JSON.stringify(hello);
    const ascii = json.replace(
      /[\u0080-\uffff]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
    const encoded = btoa(ascii).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
    return await this.knock({ "Sec-WebSocket-Protocol": `deltaroom.v1, hello.${encoded}`, ...headers });
  }

  async #answerOf(response: Response): Promise<Answer> {
    const body = await response.text();
    this.told.push(body);
    const { status } = response;
    if (status < 400 || !body.startsWith("{")) return `HTTP ${status}`;
    const { error } = JSON.parse(body) as { error: { code: Code; message: string } };
    return `HTTP ${status} ${error.code}`;
  }

  // ── the bystanders ─────────────────────────────────────────────────────────────────────────────────────────

  /** A call that is committed and seen by another. */
  async #round(): Promise<void> {
    const n = 100_000 + this.rounds; // as long each time, for rooms that are full
    this.rounds += 1;
    const startedAt = Date.now();
    const [outcome] = await this.writer.commit(put(...own, { n }));
    expect(outcome).toEqual(expect.any(Number));
    await this.sessionJudge.until(({ rev }) => rev >= (outcome as number));
    expect(this.sessionJudge.copy.get(...own)).toEqual({ n });
    this.worstMs = Math.max(this.worstMs, Date.now() - startedAt);
    expect(this.worstMs).toBeLessThan(patienceMs);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }

  // ── what has to be as it was ───────────────────────────────────────────────────────────────────────────────

  async #json(): Promise<{ collections: { [collection: string]: Records } }> {
    const headers = { Authorization: `Bearer ${await this.token({ user: "reader", access: "read" })}` };
    return await (await this.room.get({ headers })).json();
  }

  async #instance(): Promise<string> {
    return await this.room.inside((room) => (room as { instance: string }).instance);
  }

  /** The bystanders have every record that the room has, and have compared their checksums. */
  #assertCopies(): void {
    const { [own[0]]: things = {}, ...others } = this.sessionJudge.copy.collections;
    const { [own[1]]: _, ...rest } = things;
    const seen = { ...others, ...(Object.keys(rest).length > 0 && { things: rest }) };
    expect(seen).toEqual(this.#expected);
  }

  /** Each line is structured, and nothing in it came from outside. */
  #assertLogs(): void {
    for (const line of this.logged) {
      const { event, room } = JSON.parse(line) as { event: unknown; room?: unknown };
      // A request for what cannot be a room's name is refused, and that name is in no log.
      expect([event, room]).toEqual([expect.any(String), event === "refused" ? room : this.room.name]);
      expect([undefined, this.room.name]).toContain(room);
      for (const secret of this.secrets) expect(line).not.toContain(secret);
      expect(line).not.toMatch(stack);
    }
  }

  /** No stack, and no secret of another. */
  #assertWords(): void {
    const words = this.told.join("\n");
    expect(words).not.toMatch(stack);
    expect(words).not.toContain(this.writer.secret);
  }

  /** Another instance reads the same from disk, and the bystanders go on with it. */
  async #assertOnDisk(): Promise<void> {
    for (const client of this.clients)
      if (client !== this.writer && client !== this.sessionJudge) client.cut();
    await this.room.evict();
    expect(await this.state()).toEqual(this.#expected);
    await this.#round();
  }
}

function refusalsAmong({ frames }: WireClient): number {
  return frames.filter((frame) => frame.kind === "error" && frame.code === "rate-limited").length;
}

/** How long a client waits for its own presence, and after how long it sends it again. */
const barrierMs = 15_000;
const barrierRepeatMs = 1_000;

const stack = /\n\s+at |\.[jt]s:\d+/;

function closed(closeCode: number, reason: string): Answer {
  const code = codes[reason as Code] as { closeCode: number } | undefined;
  return code?.closeCode === closeCode ? `closed ${reason as Code}` : `closed ${closeCode}`;
}

function hasPresence(
  { presence }: { readonly presence?: readonly (readonly unknown[])[] },
  clientId: string,
  at: number,
): boolean {
  return (presence ?? []).some(
    ([, who, ...told]) => who === clientId && (told.at(-1) as { at?: unknown } | undefined)?.at === at,
  );
}
