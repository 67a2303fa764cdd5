/** What stands in every room: small notes of a board, of about 135 bytes as JSON. */
export interface Note {
  readonly kind: string;
  readonly x: number;
  readonly y: number;
  readonly color: string;
  readonly text: string;
}

const text = "Talk to everybody who was there before the next review, then write it up.";

/** The id of a record. */
export function recordId(record: number): string {
  return `n${record}`;
}

/** Which record has this id. */
export function recordOf(id: string): number {
  return Number(id.slice(1));
}

/** How a record begins: at x 0. */
export function newNote(record: number): Note {
  return { kind: "note", x: 0, y: record % 1_000, color: "vermilion", text };
}
