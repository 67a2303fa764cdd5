import type { Access } from "../../src/schema/access.ts";
import { hashCall } from "../../src/model/call.ts";
import type { KeptCall } from "../../client/offline/kept-calls.ts";
import { BrowserStorage, tokenOf, type KeptClient, type Person } from "./client/browser-storage.ts";
import type { Backup } from "./platform/disk.ts";
import { Keeping } from "./client/stored-page.ts";
import { Page } from "./client/page.ts";
import { Server } from "./platform/server.ts";
import type { Stage } from "./stage.ts";

/** A call that was made, until it is settled. */
interface OpenCall {
  /** Under which it was made. */
  readonly secret: string;
  readonly isEdit: boolean;
  /** It was executed in a history that is no more; only its client knows whether it will come again. */
  isInDoubt?: boolean;
}

/** What is not left to chance of a page. */
export interface Opening {
  readonly person?: Person;
  /** Whether its room is kept. */
  readonly isKept?: boolean;
  /** Milliseconds until anything that is kept can be read. */
  readonly openingMs?: number;
}

/** Whatever a call may be rejected with, and the call was not executed. */
const refusals = new Set(["no-way", "not-found", "conflict", "internal", "forbidden", "invalid"]);

/** A room, its pages, and all calls that were ever made. */
export class World {
  readonly stage: Stage;
  readonly server: Server;
  readonly browserStorage = new BrowserStorage();
  pages: Page[] = [];
  /** By token. */
  readonly openCalls = new Map<string, OpenCall>();
  /** Calls of a backend: what each key was answered, with the epoch in which that was. */
  readonly remoteAnswers = new Map<string, { readonly epoch: string; readonly text: string }>();
  readonly backups: Backup[] = [];
  #tokens = 0;
  #persons = 0;
  #pagesEver = 0;

  constructor(stage: Stage) {
    this.stage = stage;
    this.server = new Server(stage);
  }

  newToken(): string {
    return `t${++this.#tokens}`;
  }

  newPerson(access: Access): Person {
    const number = ++this.#persons;
    return { user: { id: `p${number}`, name: `person ${number}` }, access };
  }

  // ── pages ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Opens a page of somebody, or another one of somebody who has one. */
  openSomePage(): Page {
    const { dice } = this.stage;
    const isAnother = this.pages.length > 0 && dice.chance(0.3);
    const person = isAnother
      ? dice.pick(this.pages).identity
      : this.newPerson(dice.chance(0.1) ? "read" : "write");
    return this.openPage({ person, ...this.#drawKeeping() });
  }

  /** Opens a page of a person, who may have left something. */
  openNextPage(person: Person): Page {
    return this.openPage({ person, ...this.#drawKeeping(), isKept: true });
  }

  /** Seldom longer than the room waits for it, which is five seconds, or just as long. */
  #drawKeeping(): { isKept: boolean; openingMs: number } {
    const { dice, plan } = this.stage;
    const [low, high] = dice.weighted<readonly [number, number]>([
      [90, plan.keepMs],
      [4, [1_000, 8_000]],
      [6, [5_000, 5_100]],
    ]);
    return { isKept: dice.chance(0.85), openingMs: dice.between(low, high) };
  }

  /** Opens a page, which takes over what its person has left. */
  openPage({ person = this.newPerson("write"), isKept = false, openingMs = 0 }: Opening = {}): Page {
    const { stage, browserStorage } = this;
    const pageNumber = ++this.#pagesEver;
    const number = String(pageNumber).padStart(3, "0");
    const secret = `secret-of-client-${number}`;
    const left = isKept ? browserStorage.leftOf(person) : [];
    stage.note(`page-${pageNumber}`, "opens", person.user.name, person.access, isKept ? "kept" : "");
    for (const client of left) stage.note(`page-${pageNumber}`, "finds calls of", client.clientId);
    const page: Page = new Page({
      stage,
      disk: this.server.disk,
      room: this.server,
      name: `page-${pageNumber}`,
      secret,
      person,
      keeping: isKept ? (opened) => this.#keep(opened, left, openingMs) : undefined,
      settled: (...settled) => this.#settled(...settled),
    });
    for (const client of left) client.holder = page;
    this.pages.push(page);
    return page;
  }

  #keep(page: Page, left: readonly KeptClient[], openingMs: number): Keeping {
    const { stage, browserStorage } = this;
    const own = browserStorage.open(page.secret, page.identity);
    own.holder = page;
    return new Keeping({
      stage,
      browserStorage,
      person: page.identity,
      own,
      left,
      openingMs,
      answered: (client, call, rev) => this.#answered(page, client, call, rev),
      restored: (base) => page.restored(base),
    });
  }

  /** A page is gone without a word. */
  lose(page: Page, roomHears = this.stage.dice.chance(0.5)): void {
    page.vanish(roomHears);
    this.#leave(page);
  }

  close(page: Page): void {
    page.close();
    this.#leave(page);
  }

  /** What the page has kept waits for another; what became of the rest is nobody's business. */
  #leave(page: Page): void {
    this.pages = this.pages.filter((one) => one !== page);
    const held = this.browserStorage.heldBy(page);
    for (const [token, { secret }] of this.openCalls) {
      const client = held.find((one) => one.secret === secret);
      if (client?.idOf(token) !== undefined) continue;
      const isOwn = secret === page.secret;
      if (isOwn || (client !== undefined && this.stage.isDoubted(secret))) this.openCalls.delete(token);
    }
    for (const client of held) {
      this.#judgeKnownSince(client);
      client.holder = undefined;
      if (client.calls.size === 0) this.browserStorage.remove(client);
    }
  }

  /** Should the room forget the client, only the `knownSince` tells of calls that are kept and were executed. */
  #judgeKnownSince({ secret, clientId, calls, introduction }: KeptClient): void {
    const outcomes = this.server.disk.ledger.clientLog.get(clientId)?.outcomes;
    if (this.stage.isDoubted(secret)) return;
    for (const [clientReqId, { type, payload }] of calls) {
      const { n = Infinity, callHash } = outcomes?.get(clientReqId) ?? {};
      // A room that was restored once more may have executed another call under this id, which the hash tells.
      if (callHash !== hashCall(type, payload)) continue;
      if ((introduction?.knownSince ?? Infinity) >= n)
        this.stage.fail(
          `call ${clientReqId} of ${clientId} is executed in flush ${n}, its knownSince is kept as ${introduction?.knownSince}`,
        );
    }
  }

  /** A live page takes over what its person has left. */
  takeOver(page: Page): void {
    for (const client of this.browserStorage.leftOf(page.identity)) {
      client.holder = page;
      this.stage.note(page.name, "takes over from", client.clientId);
      page.keeping?.adopt(client);
    }
  }

  /** What a person has left is lost. */
  loseKept(person: Person): void {
    for (const client of this.browserStorage.leftOf(person)) {
      for (const [token, call] of this.openCalls)
        if (call.secret === client.secret) this.openCalls.delete(token);
      this.browserStorage.remove(client);
    }
  }

  /** Another page takes a live one for gone. */
  share(client: KeptClient, other: Page): void {
    this.stage.sharedIds.add(client.secret);
    this.stage.note(other.name, "takes over from", client.clientId, "who lives");
    other.keeping?.adopt(client);
  }

  /** Nothing more can be kept by this page. */
  fillDisk(page: Page): void {
    if (page.keeping?.isOpen !== true) return;
    for (const { secret } of [page, ...this.browserStorage.heldBy(page)]) this.stage.unkeptIds.add(secret);
    page.keeping.fill();
  }

  // ── calls ──────────────────────────────────────────────────────────────────────────────────────────────────

  noteCall(page: Page, token: string, isEdit: boolean): void {
    this.openCalls.set(token, { secret: page.secret, isEdit });
  }

  /** Puts the disk back to an earlier point; calls that were executed since may or may not come again. */
  restore(backup: Backup): void {
    const { tokens } = this.server.disk.ledger;
    for (const [token, call] of this.openCalls) if (tokens.has(token)) call.isInDoubt = true;
    this.server.restore(backup);
  }

  /** As `restore`, but nobody tells the room: only checksums can find out whose copy is of another history. */
  restoreUntold(backup: Backup): void {
    this.stage.isLawless = true;
    void this.server.instance; // no socket may sleep through this: it would hear of nothing before the next write
    this.server.restore(backup, false);
  }

  judgePages(): void {
    for (const page of this.pages) {
      page.keeping?.tidy();
      page.judge();
    }
  }

  /** The answer to a call has come, whoever has made it. */
  #answered(page: Page, client: KeptClient, call: KeptCall, rev: number | undefined): void {
    if (rev === undefined) return; // whoever listens is told of its code
    const token = tokenOf(call.payload);
    this.#judgeDurable(page, client.clientId, token, rev);
    if (client.secret !== page.secret && token !== undefined) this.openCalls.delete(token);
  }

  #settled(page: Page, token: string | undefined, rev: number | undefined, code: string): void {
    if (rev === undefined) return this.#rejected(page, token, code);
    const call = this.openCalls.get(token ?? "");
    if (token === undefined || call === undefined) return;
    this.openCalls.delete(token);
    this.stage.figures.count("acknowledged");
    this.#judgeDurable(page, page.clientId, call.isEdit ? undefined : token, rev);
  }

  /** `token` undefined for an edit. */
  #judgeDurable(page: Page, clientId: string, token: string | undefined, rev: number): void {
    const { ledger } = page;
    const written = ledger?.tokens.get(token ?? "");
    const isDurable =
      token === undefined
        ? ledger?.clientIds.get(rev) === clientId
        : written !== undefined && rev > written.from && rev <= written.to;
    if (!isDurable)
      this.stage.fail(
        `${token ?? "an edit"} of ${clientId} was acknowledged at ${rev} and is not on disk there`,
      );
  }

  /** Of edits that another page has made `token` is undefined. */
  #rejected(page: Page, token: string | undefined, code: string): void {
    const { stage } = this;
    const { counts } = stage.figures;
    stage.figures.count("rejected");
    const call = this.openCalls.get(token ?? "");
    // As far as the page goes: what it has kept waits for the next one.
    if (code === "closed") return;
    if (token !== undefined) this.openCalls.delete(token);
    const isDoubted = call === undefined ? this.#isDoubtedOf(page) : stage.isDoubted(call.secret);
    if (code === "too-old") {
      // What became of it is not known; only a mark that was forgotten, or the confirmation of another call, explains that.
      const isConfirmed = isDoubted || counts.has("restores undone");
      if (!counts.has("clientLog forgotten") && !isConfirmed)
        stage.fail(`${token ?? "an edit"} is too old, and no mark was forgotten`);
      return;
    }
    if (!refusals.has(code)) stage.fail(`${token ?? "an edit"} was rejected: ${code}`);
    if (token !== undefined && page.ledger?.tokens.has(token))
      stage.fail(`${token} was rejected as ${code} and is on disk`);
  }

  /** Whether a page may have been told of a call whose id names another elsewhere. */
  #isDoubtedOf(page: Page): boolean {
    const ids = page.keeping?.secrets ?? [page.secret];
    return ids.some((secret) => this.stage.isDoubted(secret));
  }
}
