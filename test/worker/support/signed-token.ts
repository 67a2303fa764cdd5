import { SignJWT } from "jose";

/** A token that nobody's secret has signed, which says `mark` in every place. */
export async function signedToken(mark: string): Promise<string> {
  const claims = { sub: mark, name: mark, rooms: [mark], exp: Math.floor(Date.now() / 1_000) + 60 };
  const key = new TextEncoder().encode(mark.padEnd(32, "!"));
  return await new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid: mark }).sign(key);
}
