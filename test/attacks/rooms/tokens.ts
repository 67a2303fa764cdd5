import { SignJWT } from "jose";
import { jwtAuthenticator } from "../../../src/jwt.ts";

/** What a token of these tests grants. */
export interface Grant {
  readonly user: string;
  readonly access: "read" | "write";
  readonly room: string;
  /** Milliseconds since the epoch; tokens know whole seconds. */
  readonly expiresAt: number;
}

const rightKey = "the key of the tests, which is long enough for one";

/** A token that the Worker of the tests takes; one that is signed with another key it does not. */
export async function makeToken(
  { user, access, room, expiresAt }: Grant,
  key: string = rightKey,
): Promise<string> {
  const token = new SignJWT({ sub: user, access, rooms: [room] }).setProtectedHeader({ alg: "HS256" });
  return await token
    .setExpirationTime(Math.floor(expiresAt / 1_000))
    .sign(new TextEncoder().encode(key.padEnd(32)));
}

/** The Worker's own, as an app would use it. */
export const authenticateGrant = jwtAuthenticator({ secret: rightKey, clockToleranceSeconds: 0 });
