import { expect, onTestFinished } from "vitest";
import {
  createTestRoom,
  type TestClient,
  type TestConnectOptions,
  type TestRoom,
} from "../../../testing/index.ts";
import type { Collections } from "../../support/clients/client-copy.ts";
import { testBoard, type TestBoard } from "../../support/boards/test-board.ts";
import { authorize, serverMutators } from "../../support/rooms/test-worker.ts";
import { leave, viewOf } from "../../support/clients/joined-client.ts";

/** A room in memory, for what is about clients and rules and not about the platform. */
export class MemoryRoom {
  readonly server: TestRoom<TestBoard> = createTestRoom(testBoard, {
    mutators: serverMutators,
    authorize,
    onError: () => {}, // mutators of the test board throw on purpose
  });

  /** A client that is up to date. Rejections are for the test to look at. */
  async enter(options: TestConnectOptions<TestBoard> = {}): Promise<TestClient<TestBoard>> {
    const client = await this.server.connect(options);
    client.room.on("reject", () => {});
    onTestFinished(() => leave(client.room));
    return client;
  }

  async settle(): Promise<void> {
    await this.server.settle();
  }
}

/** Settles; then the view of each client has to be the room's state. Collections without a record are left out. */
export async function expectAgreement(
  at: MemoryRoom,
  ...clients: readonly TestClient<TestBoard>[]
): Promise<Collections> {
  await at.settle();
  const all = Object.entries(at.server.records());
  const held = Object.fromEntries(
    all.filter(([, records]) => Object.keys(records).length > 0),
  ) as Collections;
  for (const { room } of clients) {
    expect([room.status, room.rev, room.pending]).toEqual(["online", at.server.rev, 0]);
    expect(viewOf(room)).toEqual(held);
  }
  return held;
}
