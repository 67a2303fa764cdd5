import type { Transport, TransportEvent } from "../../client/index.ts";
import { defaultLimits } from "../../src/room/limits.ts";
import type { AnyRoomDefinition } from "../../src/index.ts";
import { decodeHello, type Hello } from "../../src/protocol/handshake/hello.ts";
import { subprotocol, pingText, pongText } from "../../src/protocol/version.ts";
import { journalSlots } from "../../src/room/storage/journal.ts";
import { RoomServer } from "../../src/room/room-server.ts";
import type { Session } from "../../src/room/sessions/session.ts";
import { MemoryStorage } from "../../testing/memory-storage.ts";

/** A room in this process, for pages of the docs to connect to: the room itself, without a Durable Object around it. */
export class LocalRoom {
  readonly #room: RoomServer;
  /** What clients have sent waits while this is set, in order. */
  #held: (() => void)[] | undefined;

  constructor(definition: AnyRoomDefinition) {
    const nothing = () => {};
    const hooks = { onJoin: nothing, onLeave: nothing, onFlush: nothing, onCommit: nothing };
    this.#room = new RoomServer(
      definition,
      defaultLimits,
      { serverMutators: {}, ...hooks },
      {
        storage: new MemoryStorage(journalSlots(defaultLimits)),
        now: () => Date.now(),
        setTimer: (run, delayMs) => {
          const timer = setTimeout(run, delayMs);
          return () => clearTimeout(timer);
        },
        newEpoch: () => "epoch",
        deflate: () => Promise.reject(new Error("there is nothing as large as that")),
        setAlarm: nothing, // nobody stays that long
        abort: (reason) => {
          throw new Error(reason);
        },
        log: nothing,
      },
    );
  }

  hold(): void {
    this.#held = [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const carry of held) carry();
  }

  readonly transport: Transport = (_url, protocols) => {
    const listeners = new Map<string, ((event: TransportEvent) => void)[]>();
    const tell = (type: string, event: TransportEvent) =>
      queueMicrotask(() => listeners.get(type)?.forEach((listener) => listener(event)));
    const up = (carry: () => void) => (this.#held === undefined ? carry() : this.#held.push(carry));
    let session: Session | undefined;
    queueMicrotask(() => {
      tell("open", {});
      const socket = {
        send: (data: string | Uint8Array) => tell("message", { data }),
        close: (code: number, reason: string) => tell("close", { code, reason }),
        save: () => {},
        pingedAt: () => 0,
      };
      const joined = this.#room.join(() => socket, decodeHello(protocols) as Hello, {
        user: null,
        access: "write",
      });
      if ("code" in joined) throw new Error(`${subprotocol}: ${joined.code}`);
      session = joined;
    });
    return {
      addEventListener: (type, listener) => {
        listeners.set(type, [...(listeners.get(type) ?? []), listener]);
      },
      send: (data) => {
        if (data === pingText) return tell("message", { data: pongText });
        up(() => session && this.#room.receive(session, data));
      },
      close: () => session && this.#room.leave(session),
    };
  };
}
