/** Throws `TypeError` for a member of `options` that nobody reads: misspelt, an option would be left out in silence. */
export function requireKnownOptions(options: object, known: readonly string[], label: string): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      throw new TypeError(
        `${label}: there is no option ${JSON.stringify(name)}; there are ${known.join(", ")}`,
      );
  }
}
