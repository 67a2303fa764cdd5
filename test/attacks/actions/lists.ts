import { orderBetween } from "../../../src/index.ts";
import { patch, put } from "../../support/rooms/test-rooms.ts";
import type { Call, WireClient } from "../../support/clients/wire-client.ts";
import type { Answer } from "../attack.ts";
import { pushFrame } from "./frames.ts";
import { each } from "./http.ts";
import type { AttackAction, Scene } from "../scene.ts";

/** Keys of which a repair would make shorter ones. */
const deep = `a0${"V".repeat(60)}`;
/** The victim's private keys: some that can be guessed, and two between which nothing short fits. */
const secretKeys = ["a0", "a1", "a1V", "a2", `${deep}A`, `${deep}C`];
const plan = (place: string) => ({ text: "mine", place });

/** Fails for whatever is not the same as before. */
function assertSame(what: string, now: unknown, before: unknown): void {
  if (JSON.stringify(now) !== JSON.stringify(before))
    throw new Error(`${what} is ${JSON.stringify(now)}, and not ${JSON.stringify(before)}`);
}

let victim: WireClient;

const prepare: AttackAction["prepare"] = async (scene) => {
  victim = await scene.join({ token: await scene.token({ user: "victim" }) });
  for (const [at, place] of secretKeys.entries())
    await victim.commit(put("plans", `victim/${at}`, plan(place)));
  for (const end of ["A", "C"])
    await victim.commit(put("cards", `victim-${end}`, { by: "victim", place: `${deep}${end}` }));
};

/** Everything that the victim has, which no repair of another's may change. */
async function victimsOwn(scene: Scene): Promise<unknown> {
  await victim.until(({ rev }) => rev >= scene.writer.copy.rev);
  const again = await scene.join({ token: await scene.token({ user: "victim" }) });
  assertSame("what the victim holds", victim.copy.collections["plans"], again.copy.collections["plans"]);
  const { plans, cards } = again.copy.collections;
  again.cut();
  return { plans, cards: Object.entries(cards ?? {}).filter(([id]) => id.startsWith("victim")) };
}

async function answerTo(scene: Scene, mallory: WireClient, call: Call): Promise<Answer[]> {
  const frame = pushFrame([call[0], call[1]], { first: mallory.nextId++, confirmed: mallory.copy.confirmed });
  return await scene.answersTo(mallory, JSON.stringify(frame));
}

export const listActions = {
  "order-oracle": {
    room: "lists",
    prepare,
    run: async (scene) => {
      const mallory = await scene.join({ token: await scene.token({ user: "mallory" }) });
      const before = await victimsOwn(scene);
      let wrote = 0;
      /** A record of one's own under this key, alone in its list. Another key than this would say that somebody has it. */
      const ask = async (place: string): Promise<Answer[]> => {
        const id = `mallory/${wrote++}`;
        const answers = await answerTo(scene, mallory, put("plans", id, plan(place)));
        assertSame("the key", mallory.copy.get("plans", id)?.["place"], place);
        await mallory.commit(["transact", { plans: [["delete", id]] }]);
        return answers;
      };
      // Each key by itself, one beside it, and halves of what is between two, as long as that is short enough.
      const guesses = secretKeys.filter((key) => key.length < 48);
      const answers = await each([...guesses, "a0V", "a1U", "a1W"], ask);
      let [low, high] = ["a0", "a2"];
      for (let step = 0; step < 12; step++) {
        const middle = orderBetween(low, high);
        answers.push(...(await ask(middle)));
        if (step % 2 === 0) low = middle;
        else high = middle;
      }
      assertSame("the victim's", await victimsOwn(scene), before);
      return answers;
    },
  },
  "order-neighbour": {
    room: "lists",
    prepare,
    run: async (scene) => {
      const mallory = await scene.join({ token: await scene.token({ user: "mallory" }) });
      const before = await victimsOwn(scene);
      const answers = await each([`${deep}B`, `${deep}A`, `${deep}AV`, "a0"], async (place) => {
        const id = `mallory-${place.length}${place.at(-1)}`;
        const card = await answerTo(scene, mallory, put("cards", id, { by: "mallory", place }));
        scene.expectRecord("cards", id, mallory.copy.get("cards", id) as object);
        const own = await answerTo(scene, mallory, put("plans", `mallory/${place.length}`, plan(place)));
        return [...card, ...own];
      });
      answers.push(...(await answerTo(scene, mallory, patch("cards", "victim-A", { place: "a5" }))));
      answers.push(...(await answerTo(scene, mallory, patch("plans", "victim/0", { place: "a5" }))));
      assertSame("the victim's", await victimsOwn(scene), before);
      return answers;
    },
  },
  "hidden-words": {
    room: "lists",
    prepare,
    run: async (scene) => {
      const mallory = await scene.join({ token: await scene.token({ user: "mallory" }) });
      scene.told.length = 0;
      const answers = await each(
        [
          ["plan", { id: "victim/none", text: "x", isNew: false }],
          ["plan", { id: "victim/0", text: "a text that is much too long", isNew: false }],
          ["plan", { id: `victim/${"x".repeat(60)}`, text: "a text that is much too long", isNew: true }],
        ] as const,
        async (call) => await answerTo(scene, mallory, call),
      );
      for (const word of ["victim", "characters", "bytes", "text"])
        if (scene.told.join("\n").includes(word)) throw new Error(`it was told of ${word}`);
      return answers;
    },
  },
} satisfies Record<string, AttackAction>;
