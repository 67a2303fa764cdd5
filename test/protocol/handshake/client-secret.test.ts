import * as fc from "fast-check";
import { expect, test } from "vitest";
import { randomId } from "../../../client/platform.ts";
import { clientIdOf, clientSecretPattern } from "../../../src/protocol/handshake/client-secret.ts";

test.each([
  ["secret-0123456789abc", "XzNuWWXhqAUu43hC"],
  ["s".repeat(64), "l5EGUUPnI2DJz_eV"],
])("the public id of the client with the secret %s is %s", (secret, clientId) => {
  expect(clientIdOf(secret)).toBe(clientId);
});

test("a secret that a client makes is one that a room takes, and has 120 random bits or more", () => {
  const secrets = Array.from({ length: 100 }, () => randomId(18));
  for (const secret of secrets) expect(secret).toMatch(clientSecretPattern);
  expect(Math.min(...secrets.map(({ length }) => length)) * 6).toBeGreaterThanOrEqual(120);
  expect(new Set(secrets.map(clientIdOf)).size).toBe(secrets.length);
});

test("a public id has 16 characters of base64url, is no client secret, and never names the room or a backend's call", () => {
  const secrets = fc.stringMatching(/^[A-Za-z0-9_-]{20,64}$/);
  fc.assert(
    fc.property(secrets, (secret) => {
      const clientId = clientIdOf(secret);
      expect(clientId).toMatch(/^[A-Za-z0-9_-]{16}$/);
      expect(clientId).not.toMatch(clientSecretPattern);
      expect(secret).not.toContain(clientId);
    }),
  );
});
