import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { renderToPipeableStream, renderToString } from "react-dom/server";
import { describe, expect, test, vi } from "vitest";
import { connect } from "../../client/index.ts";
import { clientBoard } from "../support/boards/client-board.ts";
import { ScriptedRoom, turn } from "../support/rooms/scripted-room.ts";
import { after, board, Page } from "./page.tsx";

const { RoomProvider, useRoomState } = board;

const s1 = { shapes: { s1: { x: 1, y: 1 } } };

function Shape() {
  return <b>x = {useRoomState((s) => s.shapes.get("s1")?.x) ?? "none"}</b>;
}

describe.each([{ suspense: false }, { suspense: true }])(
  "on a server, a provider with %o",
  ({ suspense }) => {
    const app = ({ transport }: Pick<ScriptedRoom, "transport">) => (
      <section>
        <RoomProvider url="/rooms/lobby" transport={transport} fallback={<i>loading</i>} suspense={suspense}>
          <Shape />
        </RoomProvider>
      </section>
    );

    test("renders its fallback and opens nothing", async () => {
      const server = new ScriptedRoom();
      const token = vi.fn<() => string>(() => "t1");
      const html = renderToString(
        <RoomProvider
          url="/rooms/lobby"
          transport={server.transport}
          token={token}
          fallback="loading"
          suspense={suspense}
        >
          <Shape />
        </RoomProvider>,
      );
      await turn();
      expect(html).toBe("loading");
      expect([server.sockets, token.mock.calls]).toEqual([[], []]);
    });

    test("does not keep a stream waiting", async () => {
      const { pipe } = renderToPipeableStream(app(new ScriptedRoom()));
      const html = await text(pipe(new PassThrough()));
      expect(html).toContain("<i>loading</i>");
    });

    test("renders the fallback of a room that is ready, too, since the browser has none yet", async () => {
      const server = new ScriptedRoom();
      const room = connect("http://room.test/rooms/lobby", clientBoard, { transport: server.transport });
      (await server.attempt(1)).greet({ records: s1 });
      const inRoom = (
        <RoomProvider room={room} fallback="loading" suspense={suspense}>
          <Shape />
        </RoomProvider>
      );
      const html = renderToString(inRoom);
      expect(html).toBe("loading");
      const page = new Page(inRoom, { html });
      await after(turn);
      expect([page.text, page.recovered]).toEqual(["x = 1", []]);
      room.close();
    });

    test.each([{ isStrict: false }, { isStrict: true }])(
      "is taken over by the browser without a mismatch: %o",
      async ({ isStrict }) => {
        const server = new ScriptedRoom();
        const html = renderToString(app(server));
        const page = new Page(app(server), { html, isStrict });
        expect(page.text).toBe("loading");
        await after(async () => (await server.attempt(1)).greet({ records: s1 }));
        await expect.poll(() => page.container.querySelector("b")?.textContent).toBe("x = 1");
        expect(page.recovered).toEqual([]);
        expect(server.sockets.length).toBe(1);
      },
    );
  },
);
