/** A bug put into the source on purpose. */
export interface PlantedBug {
  /** What is wrong then. */
  readonly name: string;
  /** Each `find` stands in its file exactly once. */
  readonly edits: readonly { readonly file: string; readonly find: string; readonly replace: string }[];
  /** The tests that are there for it; the simulation has to find it as well, or at least one of both. */
  readonly tests: readonly string[];
}

function bug(
  name: string,
  file: string,
  find: string,
  replace: string,
  ...tests: readonly string[]
): PlantedBug {
  return { name, edits: [{ file, find, replace }], tests };
}

export const plantedBugs: readonly PlantedBug[] = [
  // ── durable before visible ─────────────────────────────────────────────────────────────────────────────────
  bug(
    "a flush is sent before its row is written",
    "src/room/room.ts",
    "    if (flush !== undefined && !this.#write(flush)) {",
    "    if (flush) this.#sender.fanOut(this.#journal.memory, flush, { presence: undefined, events: undefined }, now);\n" +
      "    if (flush !== undefined && !this.#write(flush)) {",
    "test/room/push.test.ts",
  ),
  bug(
    "a flush is sent although its row could not be written",
    "src/room/room.ts",
    "      this.#recover(error, flush);\n      return false;",
    "      return true;",
    "test/room/push.test.ts",
  ),
  bug(
    "a join sees the batch that is not flushed",
    "src/room/room.ts",
    "    this.#settle();\n    const { memory } = this.#journal;\n    const user",
    "    const { memory } = this.#journal;\n    const user",
    "test/room/flush.test.ts",
    "test/room/failures.test.ts",
  ),
  bug(
    "a read sees the batch that is not flushed",
    "src/room/room.ts",
    "  read(): Memory {\n    this.#settle();",
    "  read(): Memory {",
    "test/room/flush.test.ts",
    "test/room/failures.test.ts",
  ),
  bug(
    "a duplicate is answered at once, before the row of what it repeats is written",
    "src/room/sender.ts",
    "    session.replies.push([clientReqId, outcome]);\n    this.#hasReplies = true;",
    "    session.send(encodeUpdate({ mark: clientReqId, outcomes: [[clientReqId, outcome]] }));",
    "test/room/flush.test.ts",
    "test/room/failures.test.ts",
  ),
  bug(
    "memory is kept when its row could not be written",
    "src/room/room.ts",
    "      this.#journal.reload();\n    } catch (failure) {",
    "    } catch (failure) {",
    "test/room/push.test.ts",
    "test/room/failures.test.ts",
  ),
  bug(
    "nobody is told to send again what a failed write has lost",
    "src/room/room.ts",
    "      if (lost?.answers.has(actor)) refusePush(session, { ...storageFailed, clientReqId: mark + 1 });\n",
    "",
    "test/room/push.test.ts",
    "test/room/failures.test.ts",
  ),
  bug(
    "replies of a batch that is lost are sent all the same",
    "src/room/room.ts",
    "      session.dropReplies(mark);\n",
    "",
    "test/room/failures.test.ts",
  ),

  // ── exactly once ───────────────────────────────────────────────────────────────────────────────────────────
  bug(
    "a rejected call does not use its id up",
    "src/core/engine.ts",
    "    this.memory.marks.execute(marked, call.clientReqId, answer, now);",
    '    if (outcome.kind === "accepted") this.memory.marks.execute(marked, call.clientReqId, answer, now);',
    "test/core/engine.test.ts",
  ),
  bug(
    "a call above the next one is executed",
    "src/core/engine.ts",
    '    if (call.clientReqId > mark + 1) return { kind: "gap", expected: mark + 1 };\n',
    "",
    "test/core/engine.test.ts",
  ),
  bug(
    "a duplicate is executed after a wake, since the marks of checkpoints are not read",
    "src/core/memory.ts",
    "  for (const mark of storage.marks()) memory.marks.load(mark);\n",
    "",
    "test/core/memory.test.ts",
  ),
  bug(
    "a duplicate is executed after a wake, since the marks of the journal are not read",
    "src/core/memory.ts",
    "  for (const entry of JSON.parse(row.marks) as MarkEntry[]) memory.marks.replay(entry);\n",
    "",
    "test/core/memory.test.ts",
  ),
  bug(
    "an answer is counted by session and not by client",
    "src/room/sender.ts",
    "      mark: mark?.mark ?? 0,",
    "      mark: outcomes.length,",
    "test/room/push.test.ts",
  ),
  bug(
    "outcomes are told out of order",
    "src/room/sender.ts",
    ".toSorted(([a], [b]) => a - b)",
    ".toSorted(([a], [b]) => b - a)",
    "test/room/flush.test.ts",
    "test/room/push.test.ts",
    "test/room/failures.test.ts",
  ),
  bug(
    "a client confirms calls that it has not made yet",
    "src/core/marks.ts",
    "    const upTo = Math.min(confirmed, client.mark);",
    "    const upTo = confirmed;",
    "test/core/marks.test.ts",
  ),
  bug(
    "another call under a used id is told the outcome of the first",
    "src/core/engine.ts",
    "  if (answer.callHash !== hashCall(type, payload))",
    "  if (answer.callHash === undefined)",
    "test/core/engine.test.ts",
  ),
  bug(
    "a client that the room has forgotten executes its calls again",
    "src/room/entry.ts",
    '  if (mark === undefined && birth !== null && birth < horizon) return "too-old";\n',
    "",
    "test/room/limits.test.ts",
  ),
  bug(
    "the room forgets that it has forgotten clients",
    "src/core/memory.ts",
    "      horizon: forgotten.movesHorizon ? memory.n : memory.horizon,",
    "      horizon: 0,",
    "test/core/memory.test.ts",
    "test/room/limits.test.ts",
  ),
  bug(
    "a client id may be used by another user",
    "src/room/entry.ts",
    '  if ((former ? ownerOf(former.client.user) : (mark?.owner ?? owner)) !== owner) return "id-conflict";\n',
    "",
    "test/room/connect.test.ts",
  ),
  bug(
    "a late frame of a replaced socket is taken in",
    "src/room/room.ts",
    "    if (this.#sessions.get(session.client.actor) !== session) return; // replaced: its socket is closing\n",
    "",
    "test/room/connect.test.ts",
  ),
  bug(
    "the client sends again under new ids",
    "client/pending-queue.ts",
    "      if (isRestored && call.clientReqId !== undefined) call.clientReqId = ++this.#lastId;",
    "      if (call.clientReqId !== undefined) call.clientReqId = ++this.#lastId;",
    "test/client/reconnect.test.ts",
  ),
  bug(
    "the client squashes into a call that was sent",
    "client/pending-queue.ts",
    "    if (before === undefined || before.isFrozen) return false;",
    "    if (before === undefined) return false;",
    "test/client/queue.test.ts",
  ),
  bug(
    "a copied tab takes ids that the other tab has used",
    "client/pending-queue.ts",
    "    this.#lastId = Math.max(this.#lastId, mark);\n",
    "",
    "test/client/reload.test.ts",
  ),
  bug(
    "a page takes the outcome of another page's call for its own",
    "client/pending-queue.ts",
    "  return callHash === undefined || callHash === hashCall(type, payload) ? outcome : conflictOutcome;",
    "  return callHash === undefined || type !== payload ? outcome : conflictOutcome;",
    "test/client/reload.test.ts",
  ),

  // ── one order, no gaps, no way back ────────────────────────────────────────────────────────────────────────
  bug(
    "a range begins one span too early",
    "src/core/ring-buffer.ts",
    "      if (this.#at(middle).to > rev) high = middle;",
    "      if (this.#at(middle).to >= rev) high = middle;",
    "test/core/ring-buffer.test.ts",
  ),
  bug(
    "a range begins one span too late",
    "src/core/ring-buffer.ts",
    "    for (let index = this.#indexOf(fromRev); index < this.#size; index++) {",
    "    for (let index = this.#indexOf(fromRev) + 1; index < this.#size; index++) {",
    "test/core/ring-buffer.test.ts",
  ),
  bug(
    "a delta leaves a segment of history out",
    "src/core/history.ts",
    "    const segments = first === -1 ? [] : this.#segments.slice(first);",
    "    const segments = first === -1 ? [] : this.#segments.slice(first + 1);",
    "test/core/history.test.ts",
  ),
  bug(
    "a squash drops the deletion of what was put before",
    "src/core/changes.ts",
    "    for (const [id, change] of records) target.set(id, squashChange(target.get(id), change));",
    "    for (const [id, change] of records) {\n" +
      '      if (change.kind === "delete" && target.get(id)?.kind === "put") target.delete(id);\n' +
      "      else target.set(id, squashChange(target.get(id), change));\n" +
      "    }",
    "test/core/changes.test.ts",
  ),
  bug(
    "a squash forgets the fields that were unset",
    "src/core/changes.ts",
    "        unset: [...new Set([...kept, ...later.unset])],",
    "        unset: [...later.unset],",
    "test/core/changes.test.ts",
  ),
  bug(
    "a squashed delta of an earlier flush is sent for the newest",
    "src/core/history.ts",
    "    this.#squashed.clear();\n",
    "",
    "test/core/history.test.ts",
  ),
  bug(
    "a client of another epoch is sent a delta",
    "src/core/catch-up.ts",
    '  if (client.epoch !== room.epoch) return { kind: "snapshot", reason: "other-epoch" };\n',
    "",
    "test/core/catch-up.test.ts",
  ),
  bug(
    "a client ahead of the room is told that it is up to date",
    "src/core/catch-up.ts",
    '  if (client.rev > room.rev) return { kind: "snapshot", reason: "ahead" };',
    '  if (client.rev > room.rev) return { kind: "current" };',
    "test/core/catch-up.test.ts",
  ),
  bug(
    "a snapshot is closed by a delta from the newest checkpoint and not from its oldest part",
    "src/room/sender.ts",
    "    const { parts, tag, baseRev } = progress;",
    "    const { parts, tag } = progress;\n    const baseRev = memory.checkpointRev;",
    "test/room/catch-up.test.ts",
  ),
  bug(
    "a snapshot that had to wait goes on one page too far",
    "src/room/snapshot-sender.ts",
    "    if (range.untilId === null || range.untilId > sent.untilId) yield range;",
    "    if (range.firstId > sent.untilId) yield range;",
    "test/room/catch-up.test.ts",
  ),
  bug(
    "live updates are sent into a snapshot that is under way",
    "src/room/sender.ts",
    "      if (!session.isLive) continue;\n      if (session",
    "      if (session",
    "test/room/catch-up.test.ts",
    "test/room/credit.test.ts",
  ),
  bug(
    "a session that was held back is taken for up to date after hibernation",
    "src/room/session.ts",
    "  set feed(feed: Feed) {\n    this.#feed = feed;\n    this.#changed = true;",
    "  set feed(feed: Feed) {\n    this.#feed = feed;",
    "test/room/credit.test.ts",
    "test/room/wake.test.ts",
  ),
  bug(
    "the client applies a delta that leads back",
    "client/replica.ts",
    "    const changes = delta === undefined || delta.to <= this.#rev ? undefined : decodeChanges(delta.changes);",
    "    const changes = delta === undefined ? undefined : decodeChanges(delta.changes);",
    "test/client/catch-up.test.ts",
  ),
  bug(
    "the client applies a delta over a gap",
    "client/replica.ts",
    "    return this.#epoch !== null && delta.from <= this.#rev;",
    "    return this.#epoch !== null;",
    "test/client/catch-up.test.ts",
  ),
  bug(
    "the client takes updates in while it waits for a catch-up",
    "client/sync.ts",
    "    if (this.#awaitedTag !== undefined && update.tag !== this.#awaitedTag) return;\n",
    "",
    "test/client/catch-up.test.ts",
  ),

  // ── convergence ────────────────────────────────────────────────────────────────────────────────────────────
  bug(
    "the view keeps standing on the base as it was",
    "client/replica.ts",
    "    this.#view = this.#newView();\n    for (const call of pending) this.#view.predict(call);",
    "    if (pending.length === 0) this.#view = this.#newView();",
    "test/client/rebase.test.ts",
  ),
  bug(
    "a call that was executed stays pending for one more answer",
    "client/sync.ts",
    "(call.clientReqId ?? Infinity) > executed",
    "(call.clientReqId ?? Infinity) >= executed",
    "test/client/rebase.test.ts",
    "test/client/calls.test.ts",
  ),
  bug(
    "parts of a broken-off snapshot stay in the next",
    "client/replica.ts",
    "    if (part === 0) this.#arriving = newArriving();",
    "    if (part === 0) this.#arriving = { ...newArriving(), state: this.#arriving?.state ?? new State() };",
    "test/client/catch-up.test.ts",
  ),
  bug(
    "the client never compares checksums",
    "client/sync.ts",
    "    if (checksums === undefined || !this.#isComparing) return [];",
    "    if (checksums !== undefined || !this.#isComparing) return [];",
    "test/client/diverged.test.ts",
  ),
  bug(
    "whoever leaves stays as a ghost",
    "src/room/room.ts",
    "    if (session.presence !== undefined) this.#signals.leave(actor);\n",
    "",
    "test/room/signals.test.ts",
  ),

  // ── memory is what is on disk, and bounded ─────────────────────────────────────────────────────────────────
  {
    name: "a slot of the journal is overwritten before the pages have what it holds",
    edits: [
      {
        file: "src/room/journal.ts",
        find: "    if (this.#flushes >= maxRingFlushes || this.memory.journalBytes >= maxRingBytes) return true;",
        replace:
          "    if (this.#flushes >= 3 * maxRingFlushes || this.memory.journalBytes >= maxRingBytes) return true;",
      },
      {
        file: "src/room/journal.ts",
        find: "    return this.#flushes >= journalSlots(this.#options.limits);",
        replace: "    return this.#flushes < 0;",
      },
    ],
    tests: ["test/room/wake.test.ts"],
  },
  bug(
    "the journal wraps while every checkpoint fails",
    "src/room/journal.ts",
    "    return this.#flushes >= journalSlots(this.#options.limits);",
    "    return this.#flushes < 0;",
    "test/room/failures.test.ts",
  ),
  bug(
    "a checkpoint behind a wake does not have what was replayed",
    "src/core/memory.ts",
    "    memory.pages.touch(delta.changes);\n",
    "",
    "test/core/memory.test.ts",
  ),
  bug(
    "a page that is split loses the records of its second half",
    "src/core/page.ts",
    "    return chunks.map((chunk, index) => {",
    "    return chunks.slice(0, 1).map((chunk, index) => {",
    "test/core/page.test.ts",
  ),
  bug(
    "a wake goes on over a row that is missing",
    "src/core/memory.ts",
    "  if (row.n !== memory.n + 1 || row.from !== memory.rev) {",
    "  if (row.n < memory.n) {",
    "test/core/memory.test.ts",
  ),
  bug(
    "a superseded instance goes on answering",
    "src/room/journal.ts",
    "    if (this.memory.stored) this.#storage.assertNewest(this.memory.n, this.memory.checkpoints);",
    "",
    "test/room/failures.test.ts",
    "test/room/wake.test.ts",
  ),
  bug(
    "a superseded instance writes over its successor",
    "src/room/sqlite-storage.ts",
    "       WHERE excluded.n > journal.n`,",
    "       WHERE excluded.n > 0`,",
    "test/room/failures.test.ts",
    "test/room/flush.test.ts",
  ),
  bug(
    "a checkpoint is half written when it fails",
    "src/room/sqlite-storage.ts",
    "    this.#storage.transactionSync(() => {\n      this.#assertCheckpoint",
    "    [0].forEach(() => {\n      this.#assertCheckpoint",
    "test/room/failures.test.ts",
  ),
  bug(
    "two instances at one flush write checkpoints over one another",
    "src/room/sqlite-storage.ts",
    "    if (stored !== checkpoints)",
    "    if (stored === undefined)",
    "test/room/failures.test.ts",
  ),
  bug(
    "a row is written to an epoch that another instance has ended",
    "src/room/sqlite-storage.ts",
    "FROM room WHERE checkpoints = ?",
    "FROM room WHERE checkpoints > -1 OR ? < 0",
    "test/room/failures.test.ts",
  ),
  bug(
    "an attempt to connect that comes late replaces the newer one",
    "src/room/entry.ts",
    '  if (former !== undefined && attempt < former.attempt) return "replaced";\n',
    "",
    "test/room/connect.test.ts",
  ),
  bug(
    "a call that was executed is refused for its rate",
    "src/room/inbox.ts",
    "clientReqId <= mark ? 0 : session.calls.take",
    "clientReqId < 0 ? 0 : session.calls.take",
    "test/room/limits.test.ts",
  ),
  bug(
    "checksums are not kept over a wake",
    "src/core/memory.ts",
    "  memory.state.loadChecksums(JSON.parse(room.checksums) as Checksums);\n",
    "",
    "test/core/memory.test.ts",
  ),
  bug(
    "a session is sent more than it may owe",
    "src/room/session.ts",
    "    if (this.#unacknowledgedBytes > share * maxUnacknowledgedBytes) return true;\n",
    "",
    "test/room/limits.test.ts",
    "test/room/credit.test.ts",
  ),
  bug(
    "marks are never forgotten",
    "src/core/marks.ts",
    "      if (!isOneTooMany && !isHeavy && client.seenAt >= seenBefore) continue;",
    "      if (client.seenAt >= 0) continue;",
    "test/core/marks.test.ts",
  ),
];
