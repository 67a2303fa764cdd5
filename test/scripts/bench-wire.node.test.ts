import { expect, test } from "vitest";
import { greet } from "../../bench/systems/deltaroom/wire.ts";
import { decodeHello } from "../../src/protocol/handshake/hello.ts";

test("the load of the benchmark says a hello that a room understands", () => {
  const hello = decodeHello(greet());
  expect(hello).toMatchObject({ schema: 1, epoch: null, rev: 0, acceptsDeflate: true });
  expect(decodeHello(greet())?.secret).not.toBe(hello?.secret);
});
