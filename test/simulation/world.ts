import type { SavedClient } from "../../client/client-room.ts";
import type { Backup } from "./disk.ts";
import { Page } from "./page.ts";
import { Server } from "./server.ts";
import type { Stage } from "./stage.ts";

/** A call that was made, until it is settled. */
interface OpenCall {
  readonly clientId: string;
  readonly isEdit: boolean;
  /** It was executed in a history that is no more; only its client knows whether it will come again. */
  isInDoubt?: boolean;
}

/** Whatever a call may be rejected with, and the call was not executed. */
const refusals = new Set(["no-way", "not-found", "conflict", "internal", "forbidden", "invalid"]);

/** A room, its pages, and all calls that were ever made. */
export class World {
  readonly stage: Stage;
  readonly server: Server;
  pages: Page[] = [];
  /** By token. */
  readonly openCalls = new Map<string, OpenCall>();
  /** Client ids that more than one page has had at once. */
  readonly sharedIds = new Set<string>();
  /** Calls of a backend: what each key was answered, with the epoch in which that was. */
  readonly remoteAnswers = new Map<string, { readonly epoch: string; readonly text: string }>();
  readonly backups: Backup[] = [];
  #tokens = 0;
  #clients = 0;
  #pagesEver = 0;

  constructor(stage: Stage) {
    this.stage = stage;
    this.server = new Server(stage);
  }

  newToken(): string {
    return `t${++this.#tokens}`;
  }

  /** Opens a page: of a new client, or of one that `saved` was left by. */
  openPage(saved?: SavedClient, role?: string): Page {
    const { stage } = this;
    const number = String(++this.#clients).padStart(3, "0");
    const page = new Page({
      stage,
      disk: this.server.disk,
      room: this.server,
      name: `page-${++this.#pagesEver}`,
      clientId: saved?.clientId ?? `client-${number}.secret-of-client-${number}`,
      role: role ?? (stage.dice.chance(0.1) ? "reader" : "writer"),
      ...(saved && { saved }),
      settled: (...settled) => this.#settled(...settled),
    });
    stage.note(page.name, "opens as", page.actor, page.identity.role, saved ? "with a queue" : "");
    this.pages.push(page);
    return page;
  }

  /** The pages that are there. */
  forgetClosed(): void {
    this.pages = this.pages.filter((page) => page.isHere);
  }

  noteCall(page: Page, token: string, isEdit: boolean): void {
    this.openCalls.set(token, { clientId: page.clientId, isEdit });
  }

  /** Whoever made them is gone, and what became of them is nobody's business. */
  forgetCallsOf(clientId: string): void {
    for (const [token, call] of this.openCalls) if (call.clientId === clientId) this.openCalls.delete(token);
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

  /** Whoever shares an id learns by `replaced` that the other is there. */
  share(page: Page, copy: Page): void {
    page.isShared = true;
    copy.isShared = true;
    this.sharedIds.add(page.clientId);
  }

  judgePages(): void {
    for (const page of this.pages) page.judge();
  }

  #settled(page: Page, token: string, rev: number | undefined, code: string): void {
    const call = this.openCalls.get(token);
    if (call === undefined) return;
    this.openCalls.delete(token);
    if (rev === undefined) this.#rejected(page, token, code);
    else this.#acknowledged(page, token, rev, call.isEdit);
  }

  #acknowledged(page: Page, token: string, rev: number, isEdit: boolean): void {
    const { stage } = this;
    stage.figures.count("acknowledged");
    const { ledger } = page;
    const written = ledger?.tokens.get(token);
    const isDurable = isEdit
      ? ledger?.actors.get(rev) === page.actor
      : written !== undefined && rev > written.from && rev <= written.to;
    if (!isDurable)
      stage.fail(`${token} of ${page.actor} was acknowledged at ${rev} and is not on disk there`);
  }

  #rejected(page: Page, token: string, code: string): void {
    const { stage } = this;
    stage.figures.count("rejected");
    if (code === "closed") return;
    if (code === "too-old") {
      // What became of it is not known; only a mark that was forgotten, or another page's confirmation, explains that.
      const isForgotten = (stage.figures.counts.get("marks forgotten") ?? 0) > 0;
      if (!isForgotten && !page.isShared) stage.fail(`${token} is too old, and no mark was forgotten`);
      return;
    }
    const { counts } = stage.figures;
    // Another page has used the id; or the client was forgotten, counted anew, and then disk was put back to before that.
    const isConflict = page.isShared || (counts.has("marks forgotten") && counts.has("restores"));
    const isExpected = refusals.has(code) || (code === "id-conflict" && isConflict);
    if (!isExpected) stage.fail(`${token} was rejected: ${code}`);
    if (page.ledger?.tokens.has(token)) stage.fail(`${token} was rejected as ${code} and is on disk`);
  }
}
