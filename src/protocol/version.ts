/** Subprotocol of the WebSocket. A change to the wire that an older peer could not read takes the next number. */
export const subprotocol = "deltaroom.v1";

/** The second subprotocol that a client offers begins so; the hello follows, see `hello.ts`. */
export const helloPrefix = "hello.";

/** What a client sends to hear that the other end is alive. Answered by the platform, without waking the room. */
export const pingText = "ping";
export const pongText = "pong";

/** The first byte of frames that are bytes, without the flags in its low half. */
export const frameKinds = { push: 0x10, update: 0x20, snapshot: 0x30 } as const;
