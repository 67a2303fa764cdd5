import { afterEach, describe, expect, test, vi } from "vitest";
import { connect, roomUrl } from "../../client/index.ts";
import { webSocketUrl } from "../../client/room-url.ts";
import { clientBoard } from "../support/boards/client-board.ts";

afterEach(() => void vi.unstubAllGlobals());

const onPage = (href: string) => vi.stubGlobal("location", { href });

describe("the URL of a room", () => {
  test.each([
    ["https://example.com/rooms/lobby", "wss://example.com/rooms/lobby"],
    ["http://localhost:8787/rooms/lobby", "ws://localhost:8787/rooms/lobby"],
    ["wss://example.com/rooms/lobby", "wss://example.com/rooms/lobby"],
    ["http://[::1]:8787/rooms/lobby", "ws://[::1]:8787/rooms/lobby"],
    ["https://example.com/my%20app/@team/rooms/lobby", "wss://example.com/my%20app/@team/rooms/lobby"],
    ["https://example.com/rooms/...", "wss://example.com/rooms/..."],
  ])("%s is opened as %s", (url, expected) => {
    expect(webSocketUrl(url)).toBe(expected);
  });

  test.each([
    ["https://app.example.com/board?id=7", "/rooms/lobby", "wss://app.example.com/rooms/lobby"],
    ["http://localhost:3000/deep/page", "rooms/lobby", "ws://localhost:3000/deep/rooms/lobby"],
    ["https://app.example.com/", "http://rooms.example.com/lobby", "ws://rooms.example.com/lobby"],
  ])("on the page %s, %s is opened as %s", (href, url, expected) => {
    onPage(href);
    expect(webSocketUrl(url)).toBe(expected);
  });

  test("is the same text for each way to write its host, so that one room is kept once", () => {
    const ways = [
      "https://example.com/rooms/lobby",
      "HTTPS://EXAMPLE.com:443/rooms/lobby",
      "wss://example.com:443/rooms/lobby",
    ];
    expect(new Set(ways.map(webSocketUrl))).toEqual(new Set(["wss://example.com/rooms/lobby"]));
    expect(() => webSocketUrl("https://example.com/rooms/lobby/")).toThrow(TypeError);
  });
});

describe("a URL that a parser would make the URL of another room", () => {
  const folded = [
    "C#", "C#top", "C?", "C?x=1", "C\t", "C\n", "C\r", "\tC", "C ", " C", "C\0", "C\\", "\\C", "C/", "/C", "x//C",
    "./C", "x/../C", "x/%2e%2e/C", "x/.%2E/C", "%2e/C", "C/.", "C/..", "C/%2e", "x\\..\\C", "../C",
  ]; // prettier-ignore
  const encoded = [
    "%43",
    "C%23",
    "C%3F",
    "C%09",
    "C%00",
    "C%20",
    "a%2Fb",
    "é",
    "C;x",
    "C:x",
    "C+",
    "a b",
    "",
    ".",
    "..",
    "C@x",
  ];

  test.each([...folded, ...encoded, "x".repeat(129)])("with %j is refused, and named", (id) => {
    for (const base of ["https://example.com/rooms/", "/rooms/", "rooms/"]) {
      onPage("https://example.com/");
      const open = () => connect(base + id, clientBoard);
      expect(open).toThrow(TypeError);
      expect(open).toThrow(`${JSON.stringify(base + id)} is no URL of a room: `);
      expect(() => roomUrl(base, id)).toThrow(TypeError);
    }
  });

  test.each([
    " https://example.com/rooms/C",
    "https://exa\tmple.com/rooms/C",
    "https://someone@example.com/rooms/C",
    "https://someone:secret@example.com/rooms/C",
    "https://:@example.com/rooms/C",
    "https:/example.com/rooms/C",
    "https:rooms/C",
    "https:///example.com/rooms/C",
    "https:\\\\example.com\\rooms\\C",
    "//rooms/C",
    "https://example.com",
    "https://",
    "data:rooms/C",
    "",
  ])("like %j is refused", (url) => {
    onPage("https://example.com/rooms/page");
    expect(() => connect(url, clientBoard)).toThrow(TypeError);
  });

  test.each([
    ["/rooms/x/../C", "its path is read as /rooms/C"],
    ["https://someone@example.com/rooms/C", "its path is read as /rooms/C, without user, query, hash and //"],
    ["/rooms/C?token=1", "its path is read as /rooms/C, without user, query, hash and //"],
    ["/rooms//C", "its path is read as /rooms//C, without user, query, hash and //"],
    ["https://example.com:99999/rooms/C", "it cannot be parsed"],
  ])("like %j says why", (url, problem) => {
    onPage("https://example.com/");
    expect(() => connect(url, clientBoard)).toThrow(`${JSON.stringify(url)} is no URL of a room: ${problem}`);
  });

  test.each([[undefined], [null], [7], [{}], [["/rooms/C"]], [new URL("https://example.com/rooms/C")]])(
    "like %j, which is not a string, is refused and named",
    (url) => {
      onPage("https://example.com/");
      expect(() => connect(url as never, clientBoard)).toThrow("it cannot be parsed");
    },
  );
});

test("a path without a page, as on a server, is refused with what to do", () => {
  expect(() => connect("/rooms/lobby", clientBoard)).toThrow(
    '"/rooms/lobby" is no URL of a room: a path needs a page. On a server, give the whole URL',
  );
});

describe("roomUrl", () => {
  test.each([
    ["/rooms", "lobby", "/rooms/lobby"],
    ["/rooms/", "lobby", "/rooms/lobby"],
    ["https://example.com/rooms", "A-Z_a.z~9", "https://example.com/rooms/A-Z_a.z~9"],
    ["", "...", "/..."],
  ])("makes of %j and the id %j the URL %j", (base, id, url) => {
    expect(roomUrl(base, id)).toBe(url);
  });

  test.each([[undefined], [null], [7], [{ toString: () => "lobby" }]])("throws for the id %j", (id) => {
    expect(() => roomUrl("/rooms", id as never)).toThrow(TypeError);
  });

  test.each(["/rooms?room=", "/rooms#", "/a/../rooms", "//rooms", "/rooms//"])(
    "throws for the base %j",
    (base) => {
      expect(() => roomUrl(base, "lobby")).toThrow(TypeError);
    },
  );
});
