import { encodeBase64Url } from "../encoding/base64url.ts";
import type { Hello } from "./hello.ts";
import { helloPrefix } from "../version.ts";

/** The hello as a subprotocol: base64url of its JSON. */
export function encodeHello(hello: Hello): string {
  const ascii = JSON.stringify(hello).replace(/[\u0080-\uffff]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
  return helloPrefix + encodeBase64Url(ascii);
}
