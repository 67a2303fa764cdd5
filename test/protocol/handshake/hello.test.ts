import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeHello, type Hello } from "../../../src/protocol/handshake/hello.ts";
import { encodeHello } from "../../../src/protocol/handshake/hello-text.ts";

const hello: Hello = {
  secret: "secret-0123456789abc",
  schema: 1,
  epoch: null,
  rev: 0,
  confirmed: 0,
  knownSince: null,
};

/** A subprotocol that carries this JSON. */
function offering(json: string): string {
  return `hello.${btoa(json).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

describe("a hello", () => {
  test("comes back as it went, whatever the token", () => {
    const word = fc.string({ unit: "grapheme-ascii", maxLength: 60 });
    const given = fc.record(
      {
        schema: fc.maxSafeNat(),
        epoch: fc.option(word),
        rev: fc.maxSafeNat(),
        confirmed: fc.maxSafeNat(),
        knownSince: fc.option(fc.maxSafeNat()),
        token: fc
          .array(fc.integer({ min: 0, max: 0x10ffff }), { maxLength: 50 })
          .map((points) => String.fromCodePoint(...points)),
      },
      { requiredKeys: ["schema", "epoch", "rev", "confirmed", "knownSince"] },
    );
    fc.assert(
      fc.property(given, (members) => {
        const whole = { secret: hello.secret, ...members } as Hello;
        const encoded = encodeHello(whole);
        expect(decodeHello([encoded])).toEqual(whole);
        // What a subprotocol may consist of, and a header may hold.
        expect(encoded).toMatch(/^hello\.[A-Za-z0-9_-]+$/);
      }),
      { numRuns: 200 },
    );
  });

  test.each(["", "tökén", "日本語", "𝄞", "\u0000", '"\\', "a+b/c=d", "\ud800"])(
    "carries the token %j",
    (token) => {
      expect(decodeHello([encodeHello({ ...hello, token })])?.token).toBe(token);
    },
  );

  test("is found among other subprotocols, in any order", () => {
    const encoded = encodeHello(hello);
    expect(decodeHello(["deltaroom.v1", encoded])).toEqual(hello);
    expect(decodeHello([encoded, "chat"])).toEqual(hello);
  });

  test("may say more than this version knows", () => {
    expect(decodeHello([offering(JSON.stringify({ ...hello, since: "v2" }))])).toEqual(hello);
  });
});

describe("a hello that cannot be read is none:", () => {
  const { secret: _secret, ...unproved } = hello;
  const { knownSince: _knownSince, ...unborn } = hello;
  test.each<[string, string[]]>([
    ["no subprotocols", []],
    ["others alone", ["deltaroom.v1"]],
    ["nothing behind its prefix", ["hello."]],
    ["what is not base64", ["hello.%%%"]],
    ["base64 of half a character", ["hello.A"]],
    ["what is not JSON", [offering("{")]],
    ["null", [offering("null")]],
    ["a list", [offering("[]")]],
    ["no secret", [offering(JSON.stringify(unproved))]],
    ["no knownSince", [offering(JSON.stringify(unborn))]],
    ["an empty secret", [offering(JSON.stringify({ ...hello, secret: "" }))]],
    ["a short secret", [offering(JSON.stringify({ ...hello, secret: "s".repeat(19) }))]],
    ["a long secret", [offering(JSON.stringify({ ...hello, secret: "s".repeat(65) }))]],
    ["a secret with other letters", [offering(JSON.stringify({ ...hello, secret: `rpc:${hello.secret}` }))]],
    [
      "a secret with a letter beyond ASCII",
      [offering(JSON.stringify({ ...hello, secret: `${"s".repeat(23)}\u00fc` }))],
    ],
    ["a secret with a line feed", [offering(JSON.stringify({ ...hello, secret: `${hello.secret}\n` }))]],
    ["a secret that is a list", [offering(JSON.stringify({ ...hello, secret: [hello.secret] }))]],
    ["a revision below 0", [offering(JSON.stringify({ ...hello, rev: -1 }))]],
    ["a revision beyond counting", [offering(JSON.stringify({ ...hello, rev: 2 ** 53 }))]],
    ["a schema that is text", [offering(JSON.stringify({ ...hello, schema: "1" }))]],
    ["an endless epoch", [offering(JSON.stringify({ ...hello, epoch: "e".repeat(65) }))]],
    ["an endless token", [offering(JSON.stringify({ ...hello, token: "t".repeat(8_193) }))]],
  ])("%s", (_title, subprotocols) => {
    expect(decodeHello(subprotocols)).toBeUndefined();
  });
});
