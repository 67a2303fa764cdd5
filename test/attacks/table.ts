import { defaultLimits } from "../../src/room/limits.ts";
import { codes, type Code } from "../../src/protocol/codes.ts";
import type { Answer, Attack, Channel } from "./attack.ts";

const begin = "<!-- Written by `npm run docs:attacks` from test/attacks/attacks.ts. -->";
const end = "<!-- The end of what is written. -->";

const channels: { readonly [C in Channel]: string } = {
  HTTP: "Over HTTP",
  handshake: "In the handshake",
  frame: "In frames",
  call: "In calls",
  app: "Through the app's own code",
  TCP: "Below HTTP and WebSocket",
};

const words: { readonly [word: string]: string } = {
  gap: "`gap`: send again from the call that is due",
  accepted: "done, as it may",
  welcome: "let in, as who its token says",
  state: "the state",
  nothing: "nothing",
  pong: "`pong`",
  cut: "the connection ends",
};

/** The page with the table of `attacks` in place of the one that it has. Throws for a page without a place for it. */
export function withTable(page: string, attacks: readonly Attack[]): string {
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error("the page has no place for the table");
  return `${before}${begin}\n\n${tablesOf(attacks)}\n${end}${after}`;
}

function tablesOf(attacks: readonly Attack[]): string {
  const tables = Object.entries(channels).map(([channel, title]) => {
    const rows = attacks.filter((attack) => attack.channel === channel).map(rowOf);
    return `### ${title}\n\n| row | who attacks… | is answered |\n| --- | --- | --- |\n${rows.join("\n")}\n`;
  });
  return tables.join("\n");
}

function rowOf({ id, does, answers, limits = [], note }: Attack): string {
  const limit = limits.map((name) => `\`${name}\` ${defaultLimits[name].toLocaleString("en")}`).join(", ");
  const answered = answers.map(wordsOf).join("; ");
  const rest = [limit, note].filter((text) => text !== undefined && text !== "").join(". ");
  return `| \`${id}\` | ${does} | ${answered}${rest === "" ? "" : `. ${rest}`} |`.replaceAll("\n", " ");
}

function wordsOf(answer: Answer): string {
  const [kind = "", what = "", code] = answer.split(" ");
  switch (kind) {
    case "HTTP":
      return code === undefined ? what : `${what} \`${code}\``;
    case "closed":
      return /^\d+$/.test(what) ? `close ${what}` : `close ${codes[what as Code].closeCode} \`${what}\``;
    case "error":
      return `error frame \`${what}\``;
    case "rejected":
      return what in codes ? `outcome \`${what}\`` : "an outcome with what of it can be told";
    default:
      return words[answer] ?? answer;
  }
}
