import { readFileSync, statSync } from "node:fs";

/** What SQLite was doing when its process ended, by the files that it left. */
export interface InterruptedWrite {
  /** Pages of a transaction that had got into the WAL without its last one. */
  readonly transactionPages: number;
  /** Whether pages were being moved from the WAL into the database. */
  readonly isMoving: boolean;
}

const walHeaderBytes = 32;
const frameHeaderBytes = 24;
/** The lowest bit of the WAL's first word says that its checksums read words from the big end. */
const littleEndianMagic = 0x377f0682;
/** In the index of the WAL: how many frames have been moved into the database, and how many were being moved. */
const movedOffset = 96;
const attemptedOffset = 128;

/**
 * Looks at a database that nobody has opened since. `openedAt` is when that process was started, in milliseconds since
 * the epoch. The layouts are those of https://sqlite.org/walformat.html and https://sqlite.org/fileformat2.html.
 */
export function interruptedWrite(databasePath: string, openedAt: number): InterruptedWrite {
  const index = readIfThere(`${databasePath}-shm`);
  let isMoving = false;
  // To open a WAL is noted as an attempt as well, but only a move writes to the database.
  if (index.byteLength > attemptedOffset && statSync(databasePath).mtimeMs > openedAt) {
    isMoving = index.readUInt32LE(attemptedOffset) > index.readUInt32LE(movedOffset);
  }
  return { isMoving, transactionPages: pagesWithoutCommit(readIfThere(`${databasePath}-wal`)) };
}

/** How many good frames follow the last commit. What is left over from a former use of the file fails the checksum. */
function pagesWithoutCommit(wal: Buffer): number {
  if (wal.byteLength < walHeaderBytes) return 0;
  const isLittleEndian = wal.readUInt32BE(0) === littleEndianMagic;
  const frameBytes = frameHeaderBytes + wal.readUInt32BE(8);
  const salt = wal.subarray(16, 24);
  let sum = checksum([0, 0], wal.subarray(0, 24), isLittleEndian);
  let pages = 0;
  for (let at = walHeaderBytes; at + frameBytes <= wal.byteLength; at += frameBytes) {
    const frame = wal.subarray(at, at + frameBytes);
    if (!salt.equals(frame.subarray(8, 16))) break;
    sum = checksum(sum, frame.subarray(0, 8), isLittleEndian);
    sum = checksum(sum, frame.subarray(frameHeaderBytes), isLittleEndian);
    if (frame.readUInt32BE(16) !== sum[0] || frame.readUInt32BE(20) !== sum[1]) break;
    pages = frame.readUInt32BE(4) === 0 ? pages + 1 : 0;
  }
  return pages;
}

type Sum = readonly [number, number];

/** The running checksum of a WAL, over an even number of words. */
function checksum([first, second]: Sum, bytes: Buffer, isLittleEndian: boolean): Sum {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.byteLength; at += 8) {
    first = (first + view.getUint32(at, isLittleEndian) + second) >>> 0;
    second = (second + view.getUint32(at + 4, isLittleEndian) + first) >>> 0;
  }
  return [first, second];
}

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}
