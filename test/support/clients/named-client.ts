import { clientIdOf } from "../../../src/protocol/handshake/client-secret.ts";

/** Returns the secret of the client that a test calls `name`. */
export function secretOf(name: string): string {
  return `secret-of-${name}`.padEnd(24, "-");
}

/** Returns the public id of the client that a test calls `name`. */
export function idOf(name: string): string {
  return clientIdOf(secretOf(name));
}
