// Part of every runtime that has a WebSocket.
declare function atob(base64: string): string;
declare function btoa(binary: string): string;

/** Base64url, without padding, of a text whose characters stand for a byte each. */
export function encodeBase64Url(binary: string): string {
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** What {@link encodeBase64Url} was given. Throws for what is no base64. */
export function decodeBase64Url(text: string): string {
  return atob(text.replaceAll("-", "+").replaceAll("_", "/"));
}
