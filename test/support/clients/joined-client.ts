import { expect, onTestFinished, vi, type Mock } from "vitest";
import { connect, type ConnectOptions, type Room, type Transport } from "../../../client/index.ts";
import type { Collections } from "./client-copy.ts";
import type { AnyRoom } from "../rooms/test-rooms.ts";
import { testBoard, type TestBoard } from "../boards/test-board.ts";
import { leave } from "./close-room.ts";
import { Link } from "./worker-transport.ts";

export { leave };

/** A client of a real room, and the way to it. */
export interface Entered {
  readonly room: Room<TestBoard>;
  readonly link: Link;
  /** Codes of what went wrong that no call is to blame for. Whatever a test leaves here fails it. */
  readonly errors: string[];
}

/** Connects to a room of the test Worker, by a way of its own perhaps, and answers at once. Rejections are for the test to look at. */
export function approach(
  at: { readonly url: string },
  options: ConnectOptions<TestBoard> = {},
  wayOf: (transport: Transport) => Transport = (transport) => transport,
): Entered {
  const link = new Link();
  const room = connect(at.url, testBoard, { ...options, transport: wayOf(link.transport) });
  const errors: string[] = [];
  room.on("error", ({ code }) => errors.push(code));
  room.on("reject", () => {});
  onTestFinished(() => {
    leave(room);
    link.dispose();
    expect({ errors }).toEqual({ errors: [] });
  });
  return { room, link, errors };
}

/** Connects, and answers when there is a state and everybody who is there is known. */
export async function enter(
  at: { readonly url: string },
  options: ConnectOptions<TestBoard> = {},
): Promise<Entered> {
  const entered = approach(at, options);
  await entered.room.ready;
  await until(() => entered.link.down.some(({ kind }) => kind === "peers"));
  return entered;
}

/** Looks again and again until the claim holds. */
export async function until(claim: () => boolean): Promise<void> {
  const look = () => {
    if (!claim()) throw new Error(`waited in vain for ${claim.toString()}`);
  };
  await vi.waitFor(look, { interval: 2, timeout: 4_000 });
}

/** What `call` came to: its revision, or the code of its rejection. */
export async function outcomeOf(call: { committed: Promise<{ rev: number }> }): Promise<number | string> {
  return await call.committed.then(
    ({ rev }) => rev,
    (error: { code: string }) => error.code,
  );
}

/** What the app sees; collections without a record are left out. */
export function viewOf(room: Room<TestBoard>): Collections {
  const collections = Object.entries(room.state).map(([name, records]) => [
    name,
    Object.fromEntries(records.entries()),
  ]);
  return Object.fromEntries(
    collections.filter(([, records]) => Object.keys(records as object).length > 0),
  ) as Collections;
}

/** Waits until all is answered and everybody is where the room is; then each view has to be the room's state. */
export async function expectAgreement(at: AnyRoom, ...clients: readonly Entered[]): Promise<Collections> {
  await until(() => clients.every(({ room }) => room.pending === 0 && room.status === "online"));
  const { rev, collections } = await at.json();
  await until(() => clients.every(({ room }) => room.rev === rev));
  for (const { room } of clients) expect(viewOf(room)).toEqual(collections);
  return collections;
}

/** What the client says in the console until the end of the test; it is not printed. */
export function hushed(method: "warn" | "error"): Mock<(...message: unknown[]) => void> {
  const spy = vi.spyOn(console, method).mockImplementation(() => {});
  onTestFinished(() => spy.mockRestore());
  return spy;
}
