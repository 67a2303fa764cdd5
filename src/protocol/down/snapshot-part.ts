import { FormatError } from "../encoding/byte-form.ts";
import { ByteReader } from "../encoding/byte-reader.ts";
import { ByteWriter } from "../encoding/byte-writer.ts";
import { readPageRecords, type PageRecords } from "../encoding/page-records.ts";
import { decodeUtf8 } from "../../model/utf8.ts";
import type { SnapshotPart } from "./down-frames.ts";
import { frameKinds } from "../version.ts";

const openEndedFlag = 1;
const deflatedFlag = 2;
const allFlags = 3;

const writer = new ByteWriter();

/** A snapshot part around what storage has of a page. */
export function encodeSnapshotPart({
  part,
  left,
  rev,
  collection,
  from,
  until,
  isDeflated,
  content,
}: Omit<SnapshotPart, "kind">): Uint8Array {
  writer.reset();
  writer.byte(frameKinds.snapshot | (until === null ? openEndedFlag : 0) | (isDeflated ? deflatedFlag : 0));
  writer.count(part);
  writer.count(left);
  writer.count(rev);
  writer.text(collection);
  writer.text(from);
  if (until !== null) writer.text(until);
  writer.bytes(content);
  return writer.take();
}

/** Reads a snapshot part. Throws for bytes that are none. */
export function decodeSnapshotPart(bytes: Uint8Array): SnapshotPart {
  const reader = new ByteReader(bytes);
  const found = reader.byte() - frameKinds.snapshot;
  if (found < 0 || found > allFlags) throw new FormatError("it is no part of a snapshot");
  return {
    kind: "snapshot",
    part: reader.count(),
    left: reader.count(),
    rev: reader.count(),
    collection: reader.text(),
    from: reader.text(),
    until: found & openEndedFlag ? null : reader.text(),
    isDeflated: (found & deflatedFlag) !== 0,
    content: reader.bytes(reader.left),
  };
}

/** The records of a part, inflated; they are frozen. Throws for a content that is none. */
export function decodeRecords(content: Uint8Array): PageRecords {
  return readPageRecords(decodeUtf8(content));
}
