import { put } from "../../support/rooms/test-rooms.ts";
import type { WireClient } from "../../support/clients/wire-client.ts";
import type { Answer } from "../attack.ts";
import { pushFrame } from "./frames.ts";
import { each } from "./http.ts";
import type { AttackAction, Scene } from "../scene.ts";

const times = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

/** Sends the same to the room many times, and answers what it has said until it has answered a call that it may make again. */
async function flood(scene: Scene, count: number, message: (index: number) => string): Promise<Answer[]> {
  const mallory = await scene.join();
  mallory.forget();
  for (const index of times(count)) mallory.sendRaw(message(index));
  await mallory.until(
    ({ outcomes }) => outcomes.size > 0 || mallory.frames.some(({ kind }) => kind === "error"),
  );
  // What is refused costs as much as what is not; a second later it may go on.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  return scene.answersAmong(mallory);
}

const heavyCalls = times(4).map(() => [0, "fill", { count: 9_000, chars: 120 }] as const);

/**
 * Makes calls that are much work over 30 sockets, four times a second. Throws when the room executes more of them than `once` and
 * `perSecond`, the first `firstSeconds` left out: a call that is refused before it runs is no work.
 */
async function heavyFlood(
  scene: Scene,
  { firstSeconds = 0, once, perSecond }: { firstSeconds?: number; once: number; perSecond: number },
  grant: { readonly token?: string } = {},
): Promise<Answer[]> {
  const crowd: WireClient[] = [];
  for (const _ of times(30)) crowd.push(await scene.join(grant));
  const executed = () => crowd.reduce((sum, { copy }) => sum + copy.outcomes.size, 0);
  const floodFor = async (seconds: number) => {
    for (const _ of times(4 * seconds)) {
      for (const mallory of crowd) {
        const first = mallory.copy.outcomes.size + 1;
        mallory.sendRaw(JSON.stringify(pushFrame(undefined, { first, calls: heavyCalls })));
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  };
  await floodFor(firstSeconds);
  const [before, startedAt] = [executed(), Date.now()];
  await floodFor(4);
  const [count, seconds] = [executed() - before, (Date.now() - startedAt) / 1_000];
  if (count > once + perSecond * seconds)
    throw new Error(`the room has executed ${count} calls in ${seconds} s`);
  return crowd.flatMap((mallory) => scene.answersAmong(mallory));
}

/** Of a flood of signals some are taken, which says nothing, and the others are refused. */
const ephemeral =
  (message: (index: number) => string): AttackAction["run"] =>
  async (scene) => {
    const answers = await flood(scene, 1_000, message);
    return answers.length < 1_000 ? ["nothing", ...answers] : answers;
  };

export const floodActions = {
  "ping-flood": {
    run: async (scene) => {
      const mallory = await scene.join();
      for (const _ of times(999)) mallory.sendRaw("ping");
      await mallory.ping();
      return ["pong"];
    },
  },
  "garbage-flood": {
    run: async (scene) => {
      const mallory = await scene.join({ acks: false });
      mallory.forget();
      for (const index of times(1_000)) mallory.sendRaw("{".repeat(index));
      await mallory.closed();
      return scene.answersAmong(mallory);
    },
  },
  "garbage-loop": {
    room: "tight",
    run: async (scene) => {
      const mallory = await scene.join();
      mallory.forget();
      for (const _ of times(200)) mallory.sendRaw("{");
      await mallory.closed();
      return scene.answersAmong(mallory);
    },
  },
  "ack-flood": {
    run: async (scene) =>
      await scene.answersTo(await scene.join(), ...times(500).map(() => '{"kind":"ack","bytes":0}')),
  },
  "call-flood": {
    run: async (scene) => {
      const calls = times(250).map(() => [0, "take", null]);
      return await flood(scene, 8, (index) =>
        JSON.stringify(pushFrame(undefined, { first: index * 250 + 1, calls })),
      );
    },
  },
  "heavy-calls": {
    run: async (scene) => {
      const calls = times(100).map(() => [0, "fill", { count: 9_000, chars: 120 }]);
      return await flood(scene, 1, () => JSON.stringify(pushFrame(undefined, { first: 1, calls })));
    },
  },
  "heavy-sockets": {
    room: "closed",
    run: async (scene) =>
      await heavyFlood(scene, { firstSeconds: 10, once: 2, perSecond: 2.5 }, { token: await scene.token() }),
  },
  "heavy-strangers": { run: async (scene) => await heavyFlood(scene, { once: 40, perSecond: 6 }) },
  "presence-flood": {
    run: ephemeral((index) => JSON.stringify({ kind: "presence", presence: { at: 1_000 + index } })),
  },
  "huge-signals": {
    run: async (scene) => {
      const any = `[${times(300_000)
        .map(() => "{}")
        .join()}]`;
      return await flood(scene, 28, (index) =>
        index % 2 === 0
          ? `{"kind":"presence","presence":{"at":1,"any":${any}}}`
          : `{"kind":"event","event":"wave","payload":{"text":"","any":${any}}}`,
      );
    },
  },
  "event-flood": {
    run: ephemeral(() =>
      JSON.stringify({ kind: "event", event: "wave", payload: { text: "x".repeat(1_000) } }),
    ),
  },
  "resync-loop": {
    run: async (scene) => {
      const mallory = await scene.join();
      mallory.forget();
      for (const index of times(1_000)) mallory.resync(index + 1, { rev: 0 });
      await mallory.closed();
      return scene.answersAmong(mallory);
    },
  },
  "unconfirmed-crowd": {
    room: "tight",
    run: async (scene) => {
      const attackers = [await scene.join(), await scene.join()];
      const push = (client: WireClient, first: number, count: number, type: string) => {
        const calls = times(count).map(() => [0, type, null]);
        client.sendRaw(JSON.stringify(pushFrame(undefined, { first, calls, confirmed: 0 })));
      };
      for (const attacker of attackers) push(attacker, 1, 250, "no-mutator");
      for (const attacker of attackers)
        await attacker.until(() => attacker.frames.some(({ kind }) => kind === "error"));
      const slow = await scene.join();
      for (const first of [1, 26]) push(slow, first, 25, "take");
      const outcomes = await slow.outcomesOf(1, 50);
      if (!outcomes.every((outcome) => typeof outcome === "number"))
        throw new Error("the slow writer was refused");
      return attackers.flatMap((attacker) => scene.answersAmong(attacker));
    },
  },
  "stale-base-rev": {
    room: "closed",
    run: async (scene) => {
      const join = async (access: "read" | "write") =>
        await scene.join({ token: await scene.token({ access }) });
      const [reader, writer, other] = [await join("read"), await join("write"), await join("write")];
      const callers = [reader, writer];
      const call = () => callers.map((caller, index) => caller.push(["take", null, index * 1_000_000]));
      const [tickMs, forMs] = [40, 3_000];
      const ticking = setInterval(call, tickMs);
      await new Promise((resolve) => setTimeout(resolve, forMs));
      const startedAt = Date.now();
      for (const _ of times(10)) await other.commit(["take", null]);
      const tookMs = (Date.now() - startedAt) / 10;
      clearInterval(ticking);
      if (tookMs > 150) throw new Error(`a call of another client took ${tookMs} ms`);
      return callers.flatMap((caller) => scene.answersAmong(caller));
    },
  },
  "slow-reader": {
    run: async (scene) => {
      const [sloth, other] = [await scene.join({ acks: false }), await scene.join()];
      sloth.forget();
      for (const n of times(100)) await other.commit(put("things", "others", { n }));
      scene.expectRecord("things", "others", { n: 99 });
      const limit = sloth.copy.welcome?.limits.maxUnacknowledgedFrames ?? 0;
      if (sloth.frames.length > limit) throw new Error(`it was sent ${sloth.frames.length} frames`);
      const answers = scene.answersAmong(sloth);
      sloth.ack();
      await sloth.until(({ rev }) => rev >= other.copy.rev); // one catch-up, and it is back
      return answers;
    },
  },
  "trickle-crowd": {
    room: "closed",
    prepare: async (scene) => {
      const author = await scene.join({ token: await scene.token({ user: "author" }) });
      for (const n of times(8))
        await author.commit(put("things", `long-${n}`, { n, text: "x".repeat(200_000) }));
    },
    run: async (scene) => {
      const token = await scene.token({ access: "read" });
      const crowd: WireClient[] = [];
      for (const _ of times(50)) {
        const sloth = scene.client({ token, acks: false });
        await sloth.open();
        crowd.push(sloth);
      }
      const trickling = setInterval(() => {
        for (const sloth of crowd) if (sloth.isOpen && sloth.owedBytes > 1_000) sloth.ack(1_000);
      }, 200);
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      const owed = crowd.reduce((sum, { owedBytes }) => sum + owedBytes, 0);
      const startedAt = Date.now();
      const newcomer = await scene.join({ token: await scene.token({ user: "newcomer" }) });
      const tookMs = Date.now() - startedAt;
      clearInterval(trickling);
      if (owed < 15_000_000) throw new Error(`the crowd owes no more than ${owed} bytes`);
      if (newcomer.copy.get("things", "long-7") === undefined) throw new Error("a newcomer lacks records");
      if (tookMs > 2_000) throw new Error(`a newcomer was sent the room after ${tookMs} ms`);
      return crowd.flatMap((sloth) => scene.answersAmong(sloth));
    },
  },
  "close-codes": {
    run: async (scene) => {
      const codes = [1_000, 3_000, 4_001, 4_400, 4_401, 4_429, 4_999];
      return await each(codes, async (code) => {
        const mallory = await scene.join();
        mallory.leave(code, "\u20ac".repeat(41));
        return "nothing";
      });
    },
  },
  attachment: {
    room: "closed",
    run: async (scene) => {
      // One character of two bytes has the platform keep the whole text in two bytes each; a half takes nine bytes for four.
      const user = `\u20ac${"x".repeat(1_990)}`;
      const presences = [
        { at: 1, note: `\u20ac${"x".repeat(4_000)}` },
        { at: 2, list: times(1_000).map(() => 0.5) },
        { at: 3, any: times(1_300).map(() => []) },
        { at: 4, note: "\u0000".repeat(670) },
      ];
      return await each(presences, async (presence) => {
        const mallory = await scene.join({ token: await scene.token({ user }) });
        const answers = await scene.answersTo(mallory);
        mallory.setPresence(presence);
        const shown = () => JSON.stringify(scene.sessionJudge.copy.peers.get(mallory.clientId)?.presence);
        await scene.sessionJudge.until(() => shown() === JSON.stringify(presence));
        await mallory.commit(["take", {}]).catch(() => {}); // by now the platform has taken it, or not
        return mallory.closing === undefined ? answers : scene.answersAmong(mallory);
      });
    },
  },
} satisfies Record<string, AttackAction>;
