import { expect, it } from "vitest";
import {
  newSmallRoom,
  newTestRoom,
  newThriftyRoom,
  patch,
  put,
  remove,
  type AnyRoom,
} from "../../support/rooms/test-rooms.ts";
import type { Call, WireClient } from "../../support/clients/wire-client.ts";

/** Numbers that look random and are the same in every run. */
function randomOf(seed: number): (below: number) => number {
  let state = (seed * 2_654_435_761) % 2_147_483_647 || 1;
  return (below) => (state = (state * 48_271) % 2_147_483_647) % below;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function randomCall(random: (below: number) => number): Call {
  const id = `n${random(30)}`;
  switch (random(6)) {
    case 0:
      return remove("notes", id);
    case 1:
      return patch("notes", id, { text: `patched ${random(1_000)}` });
    case 2:
      return ["refuse", { text: id }];
    case 3:
    case 4:
      return ["addUp", { id: "sum", by: 1 }];
    default:
      return put("notes", id, { text: "x".repeat(random(200)) });
  }
}

/** Edits until told to stop: sends what is unanswered again after every cut, and counts what it was promised. */
class Editor {
  readonly client: WireClient;
  readonly #random: (below: number) => number;
  readonly #pauseMs: number;
  /** Calls made, by id. */
  readonly #calls = new Map<number, Call>();

  /** `pauseMs`: the longest time between two deeds. */
  constructor(client: WireClient, seed: number, pauseMs: number) {
    this.client = client;
    this.#pauseMs = pauseMs;
    this.#random = randomOf(seed);
  }

  async editUntil(stopAt: number): Promise<void> {
    await this.#connect();
    while (Date.now() < stopAt) {
      const turn = this.#random(20);
      if (turn === 0) this.client.cut();
      if (this.#isCut) await this.#connect();
      else if (turn < 4) this.client.setPresence({ at: this.#random(100) });
      else if (turn < 6) this.client.sendEvent("wave", { text: "" });
      else this.#call();
      await pause(this.#random(this.#pauseMs));
    }
  }

  /** Until every call has been answered. What went with a cut is asked for by connecting again. */
  async settle(): Promise<void> {
    for (let attempt = 0; attempt < 20 && this.unanswered.length > 0; attempt++) {
      await this.#connect();
      await this.client.outcomesOf(this.unanswered[0] ?? 0, this.unanswered.length).catch(() => {});
    }
    await this.#connect();
  }

  get unanswered(): number[] {
    return [...this.#calls.keys()].filter((id) => !this.client.copy.outcomes.has(id));
  }

  /** How often `addUp` was acknowledged. */
  get additions(): number {
    const added = [...this.#calls].filter(([, [type]]) => type === "addUp");
    return added.filter(([id]) => typeof this.client.copy.outcomes.get(id) === "number").length;
  }

  get #isCut(): boolean {
    return !this.client.isOpen;
  }

  #call(): void {
    const call = randomCall(this.#random);
    this.#calls.set(this.client.push(call), call);
  }

  async #connect(): Promise<void> {
    await this.client.open();
    await this.client.caughtUp();
    const [first] = this.unanswered;
    if (first === undefined) return;
    this.client.pushAt(first, ...this.unanswered.map((id) => this.#calls.get(id) as Call));
  }
}

it.each([
  [30, "in a room of every day", newTestRoom],
  [8, "in a room that checkpoints all the time", newSmallRoom],
  [8, "in a room that trusts nobody with more than 2 KB", newThriftyRoom],
])(
  "%i clients that edit, are cut off and come back agree in the end, %s",
  { timeout: 30_000 },
  async (count, _, newRoom) => {
    const room: AnyRoom = newRoom();
    const editors = Array.from(
      { length: count },
      (_, index) => new Editor(room.client(), index + 1, count * 6),
    );
    const stopAt = Date.now() + 2_000;
    const editing = editors.map((editor) => editor.editUntil(stopAt));
    for (let eviction = 0; eviction < 2; eviction++) {
      await pause(600);
      await room.json(); // on a busy machine nobody may have done anything since the last one
      await room.evict();
    }
    await Promise.all(editing);
    await Promise.all(editors.map((editor) => editor.settle()));

    const { rev, epoch, collections } = await room.json();
    for (const { client } of editors) await client.until((copy) => copy.rev === rev);
    for (const { client, unanswered } of editors) {
      expect(unanswered).toEqual([]);
      expect(client.copy.epoch).toBe(epoch);
      expect(client.copy.collections).toEqual(collections);
    }
    const additions = editors.reduce((sum, editor) => sum + editor.additions, 0);
    expect(additions).toBeGreaterThan(0);
    expect(collections["shapes"]?.["sum"]).toEqual({ x: additions, y: 0 });
    await room.evict();
    expect(await room.json()).toEqual({ rev, epoch, collections });
  },
);
