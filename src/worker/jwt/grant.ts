/** Whether one of the patterns is the room's id, or ends in `*` and begins it. A `*` elsewhere stands for itself, which no id has. */
export function isGranted(patterns: readonly string[], roomId: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith("*") ? roomId.startsWith(pattern.slice(0, -1)) : pattern === roomId,
  );
}
