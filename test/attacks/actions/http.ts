import { defaultLimits } from "../../../src/room/limits.ts";
import { put } from "../../support/rooms/test-rooms.ts";
import type { Answer } from "../attack.ts";
import type { AttackAction, Scene } from "../scene.ts";

const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

/** What each of these is answered, one after the other. */
export async function each<T>(
  attempts: Iterable<T>,
  attempt: (given: T) => Promise<Answer | readonly Answer[]>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const given of attempts) answers.push(...[await attempt(given)].flat());
  return answers;
}

/** Other origins than that of the rooms, some of them much like it. */
export const strangeOrigins = [
  "https://evil.example",
  "null",
  "http://rooms.test",
  "https://rooms.test:8443",
  "https://rooms.test.",
  "https://rooms.test.evil.example",
  "https://evilrooms.test",
  "https://rooms.test/",
  "HTTPS://ROOMS.TEST",
];

const under = (scene: Scene) => new URL(scene.room.url).pathname.slice(0, -scene.room.name.length);

/** Asks for the room ids, each behind the path of the rooms. */
const askFor =
  (...ids: readonly string[]): AttackAction["run"] =>
  async (scene) =>
    await each(ids, async (id) => await scene.ask({}, under(scene) + id));

const fullWidth = "\uff4c\uff4f\uff42\uff42\uff59";

export const httpActions = {
  method: {
    run: async (scene) =>
      await each(
        ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "MKCOL", "PURGE"],
        async (method) => {
          const answer = await scene.ask({ method });
          // The answer to HEAD has no body, and so says no code.
          return answer === "HTTP 405" ? "HTTP 405 invalid" : answer;
        },
      ),
  },
  "method-override": {
    run: async (scene) =>
      await each(
        [
          { "X-HTTP-Method-Override": "DELETE", "X-Method-Override": "PUT" },
          { "X-Original-URL": "/closed-rooms/lobby", "X-Rewrite-URL": "/admin" },
          { "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", Forwarded: "host=evil.example" },
          { "X-Forwarded-For": "127.0.0.1", "X-Real-IP": "::1", "CF-Connecting-IP": "127.0.0.1" },
          { "X-User": "root", "X-Forwarded-User": "root", "Remote-User": "root" },
        ],
        async (headers) => await scene.ask({ headers: headers as Record<string, string> }),
      ),
  },
  traversal: {
    run: askFor(
      "..",
      ".",
      "%2e",
      "%2e%2e",
      "%2E%2E/",
      "../rooms/..",
      "..%2flobby",
      "..%5clobby",
      "%2e%2e%2flobby",
      "%252e%252e%252f",
      "..\\lobby",
      "a/../../x",
      "a/..%2f..%2fx",
      "....//",
      "%c0%ae%c0%ae/",
    ),
  },
  "url-nul": {
    run: askFor("a%00", "%00", "a%00.json", "a%0d%0aSet-Cookie:%20x", "a%09", "a%7f", "a%1b[2J", "a\u0001b"),
  },
  "url-encoding": {
    run: askFor(
      "%61",
      "lobby%20",
      "a%2Fb",
      "a%2fb",
      "%252f",
      "100%",
      "%zz",
      "%ff%fe",
      "%ed%a0%80",
      "r\u00e4ume",
      fullWidth,
      "a\u0301",
      "%F0%9F%98%80",
    ),
  },
  "url-length": { run: askFor("", "x".repeat(129), "x".repeat(10_000), "%20".repeat(3_000)) },
  "url-prototype": { run: askFor("__proto__", "constructor", "prototype", "toString", "hasOwnProperty") },
  "url-elsewhere": {
    run: async (scene) => {
      const id = scene.room.name;
      const paths = [
        "Attack-Rooms/",
        "/attack-rooms/",
        "attack-rooms;x=y/",
        "attack-roomss/",
        "attack%2Drooms/",
      ];
      return await each(
        [...paths, "rooms-attack/", "attack-rooms%2f"],
        async (path) => await scene.ask({}, `/${path}${id}`),
      );
    },
  },
  "forged-identity": {
    room: "closed",
    run: async (scene) =>
      await each(
        [{ user: { id: "root", name: "Root" }, access: "write" }, { user: null, access: "write" }, null],
        async (identity) =>
          await scene.ask({
            headers: { "deltaroom-identity": encodeURIComponent(JSON.stringify(identity)) },
          }),
      ),
  },
  "http-cross-site": {
    run: async (scene) =>
      await each(strangeOrigins, async (origin) => await scene.ask({ headers: { Origin: origin } })),
  },
  "http-token": {
    room: "closed",
    run: async (scene) => {
      const good = await scene.token();
      const tokens = [
        await scene.token({}, "another key"),
        await scene.token({ expiresAt: Date.now() - 1 }),
        await scene.token({ room: "another-room" }),
        `${good.split(".")[0]}.`,
        good.slice(0, -1),
        "x",
        scene.canary,
      ];
      return [
        await scene.ask(),
        await scene.ask({ headers: { Authorization: `Basic ${good}` } }),
        await scene.ask({ headers: { Authorization: good } }),
        await scene.ask({ headers: { Authorization: `Bearer ${good}, Bearer ${good}` } }),
        ...(await each(tokens, async (token) => await scene.ask(bearer(token)))),
      ];
    },
  },
  "token-in-url": {
    room: "closed",
    run: async (scene) => {
      const token = await scene.token();
      const { pathname } = new URL(scene.room.url);
      return [
        await scene.ask({}, `${pathname}?token=${token}`),
        await scene.ask({}, `${pathname}?access_token=${token}&authorization=Bearer+${token}`),
        await scene.ask({}, `${pathname}#${token}`),
        await scene.ask({ headers: { Cookie: `token=${token}; Authorization=Bearer ${token}` } }),
      ];
    },
  },
  conditional: {
    run: async (scene) =>
      await each(
        [
          { Range: "bytes=0-1" },
          { "If-None-Match": Array.from({ length: 10_000 }, (_, index) => `"${index}"`).join() },
          { "If-None-Match": '"' },
          { "If-Modified-Since": "never", "If-Range": '"x"', Range: "bytes=999999999999999999999-" },
        ],
        async (headers) => await scene.ask({ headers: headers as Record<string, string> }),
      ),
  },
  "read-loop": {
    room: "closed",
    run: async (scene) => {
      const reader = bearer(await scene.token());
      const rowsBefore = await scene.rowsWritten();
      const roundsBefore = scene.rounds;
      const response = await scene.room.get(reader);
      const known = { ...reader.headers, "If-None-Match": response.headers.get("ETag") ?? "" };
      await response.text();
      const ask = async (index: number): Promise<Answer> => {
        const answer = await scene.ask(index % 2 === 0 ? reader : { headers: known });
        return answer === "HTTP 304" ? "HTTP 200" : answer; // as the bystander has written meanwhile, or not
      };
      const answers: Answer[] = [];
      // As fast as this machine can, until the room has enough of it.
      while (!answers.includes("HTTP 429 rate-limited") && answers.length < 20_000)
        answers.push(
          ...(await Promise.all(Array.from({ length: 50 }, async (_, index) => await ask(index)))),
        );
      const rows = (await scene.rowsWritten()) - rowsBefore;
      // A round of the bystanders is a row, and one may be under way at either end.
      const rounds = scene.rounds - roundsBefore;
      if (rows > rounds + 2) throw new Error(`${rows} rows were written in ${rounds} rounds`);
      return answers;
    },
  },
  "reads-unread": {
    room: "closed",
    prepare: async (scene) => {
      for (let page = 0; page < 16; page++)
        await scene.writer.commit(put("things", `page-${page}`, { n: 1, text: "x".repeat(60_000) }));
    },
    run: async (scene) => {
      const reader = bearer(await scene.token());
      const responses: Response[] = [];
      for (let request = 0; request < 200; request++) responses.push(await scene.room.get(reader));
      const [open, refused] = [200, 429].map((wanted) => responses.filter(({ status }) => status === wanted));
      await scene.state(); // another user's read takes the place of one of them
      for (const response of refused ?? []) await response.text();
      const read = await Promise.allSettled((open ?? []).map(async (response) => await response.text()));
      const whole = read.filter(({ status }) => status === "fulfilled").length;
      if (whole >= defaultLimits.maxReads) throw new Error(`${whole} answers were kept that nobody has read`);
      return responses.map(({ status }): Answer => (status === 429 ? "HTTP 429 rate-limited" : "HTTP 200"));
    },
  },
} satisfies Record<string, AttackAction>;
