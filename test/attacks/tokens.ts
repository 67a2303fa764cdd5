/** What a token of these tests grants. */
export interface Grant {
  readonly user: string;
  readonly role: "reader" | "writer";
  readonly room: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

const rightKey = "the key of the tests";

/** A token that the Worker of the tests takes; one that is signed with another key it does not. */
export async function makeToken(grant: Grant, key: string = rightKey): Promise<string> {
  const body = encode(new TextEncoder().encode(JSON.stringify(grant)));
  return `${body}.${await sign(body, key)}`;
}

/** The grant of a token, if it is whole, of this room and of this time. */
export async function readToken(token: string, room: string): Promise<Grant | undefined> {
  const [body = "", signature = ""] = token.split(".");
  if (signature !== (await sign(body, rightKey))) return undefined;
  const bytes = Uint8Array.from(atob(body.replaceAll("-", "+").replaceAll("_", "/")), (byte) =>
    byte.charCodeAt(0),
  );
  const grant = JSON.parse(new TextDecoder().decode(bytes)) as Grant;
  return grant.room === room && grant.expiresAt > Date.now() ? grant : undefined;
}

async function sign(body: string, secret: string): Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
  return encode(new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(body))));
}

function encode(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}
