/** Closes a room at the end of a test, whatever still waits in it. */
export function leave(room: { on(kind: "reject", listener: () => void): unknown; close(): void }): void {
  room.on("reject", () => {});
  room.close();
}
