import { describe, expect, test } from "vitest";
import { FrameReader } from "../../../client/connection/frame-reader.ts";
import { ownRuntime } from "../../../client/platform.ts";
import { encodeText } from "../../../src/protocol/codec.ts";
import type { DownFrame } from "../../../src/protocol/down/down-frames.ts";
import { encodeSnapshotPart } from "../../../src/protocol/down/snapshot-part.ts";
import { encodeShared, encodeUpdate } from "../../../src/protocol/down/update.ts";

const part = (number: number, isDeflated = true) =>
  encodeSnapshotPart({
    part: number,
    left: 0,
    rev: 0,
    collection: "shapes",
    from: "",
    until: null,
    isDeflated,
    content: new Uint8Array([number]),
  });
const update = encodeUpdate({ tag: 0 }, encodeShared({}));
const gap = encodeText({ kind: "gap", expected: 1 });

/** An inlet whose parts are inflated when the test says so, and what came out of it. */
function newFrameReader() {
  const taken: string[] = [];
  const inflating = new Map<number, PromiseWithResolvers<Uint8Array>>();
  const nameOf = (frame: DownFrame) => (frame.kind === "snapshot" ? `part ${frame.part}` : frame.kind);
  const frameReader = new FrameReader(
    async ([number = 0]) => {
      const waiting = Promise.withResolvers<Uint8Array>();
      inflating.set(number, waiting);
      return await waiting.promise;
    },
    1_000,
    { take: (frame) => taken.push(nameOf(frame)), misread: (error) => taken.push(String(error)) },
  );
  const settle = async () => await new Promise((resolve) => setTimeout(resolve, 0));
  const finish = async (number: number) => {
    inflating.get(number)?.resolve(new Uint8Array());
    await settle();
  };
  const fail = async (number: number) => {
    inflating.get(number)?.reject(new Error("no deflate"));
    await settle();
  };
  return { frameReader, taken, inflating, finish, fail };
}

describe("frames", () => {
  test("are taken at once while nothing is being inflated", () => {
    const { frameReader, taken } = newFrameReader();
    for (const frame of [update, gap, part(0, false)]) frameReader.receive(frame);
    expect(taken).toEqual(["update", "gap", "part 0"]);
  });

  test("are taken in their order, whichever part is inflated first", async () => {
    const { frameReader, taken, inflating, finish } = newFrameReader();
    for (const frame of [part(0), part(1), gap, part(2), update]) frameReader.receive(frame);
    expect([...inflating.keys()]).toEqual([0, 1, 2]);
    await finish(2);
    await finish(1);
    expect(taken).toEqual([]);
    await finish(0);
    expect(taken).toEqual(["part 0", "part 1", "gap", "part 2", "update"]);
    frameReader.receive(gap);
    expect(taken.at(-1)).toBe("gap");
  });

  test("of a connection that is no more are not taken", async () => {
    const { frameReader, taken, finish } = newFrameReader();
    frameReader.receive(part(0));
    frameReader.receive(update);
    frameReader.reset();
    frameReader.receive(gap);
    await finish(0);
    expect(taken).toEqual(["gap"]);
  });

  test("that cannot be read are told of, and the next are taken", () => {
    const { frameReader, taken } = newFrameReader();
    frameReader.receive(new Uint8Array([0x20]));
    frameReader.receive(gap);
    expect(taken).toEqual([expect.stringContaining("too early"), "gap"]);
  });
});

test("a part that cannot be inflated is told of in its turn, and from then on none is asked for", async () => {
  const { frameReader, taken, finish, fail } = newFrameReader();
  expect(frameReader.acceptsDeflate).toBe(true);
  frameReader.receive(part(0));
  frameReader.receive(part(1));
  await fail(1);
  await finish(0);
  expect(taken).toEqual(["part 0", "Error: no deflate"]);
  expect(frameReader.acceptsDeflate).toBe(false);
});

test.each([
  ["no deflate", [0xff, 0xff, 0xff]],
  ["cut off", [0xcb, 0x48]],
])("bytes that are %s are refused by the platform's own inflating", async (_, bytes) => {
  await expect(ownRuntime.inflate?.(new Uint8Array(bytes), 1_000)).rejects.toThrow(Error);
});
