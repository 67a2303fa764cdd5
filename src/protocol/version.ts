/** Subprotocol of the WebSocket. A change to the wire that an older peer could not read takes the next number. */
export const subprotocol = "deltaroom.v1";

/** The second subprotocol that a client offers begins so; the hello follows, see `hello.ts`. */
export const helloPrefix = "hello.";

/**
 * What a client sends to be known to be there, and to hear that the other end is. Answered by the platform, without waking the
 * room. The room sends it to whom it has not heard for long, and the same is the answer.
 */
export const pingText = "ping";
export const pongText = "pong";

/** The first byte of frames that are bytes, without the flags in its low half. */
export const frameKinds = { push: 0x10, update: 0x20, snapshot: 0x30 } as const;
