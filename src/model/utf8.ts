// Part of every runtime that has a WebSocket; `src/core` is compiled without the types of any platform.
declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
  encodeInto(source: string, destination: Uint8Array): unknown;
}
declare class TextDecoder {
  constructor(label: string, options: { fatal: boolean; ignoreBOM: boolean });
  decode(bytes: Uint8Array): string;
}

// Both are made at their first use. A test in jsdom, which has neither, may then import the package.
let encoder: TextEncoder | undefined;
let decoder: TextDecoder | undefined;

/** The platform's encoder of UTF-8. */
export function utf8Encoder(): TextEncoder {
  return (encoder ??= new TextEncoder());
}

/** The text that `bytes` are. Throws `TypeError` when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  return (decoder ??= new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })).decode(bytes);
}
