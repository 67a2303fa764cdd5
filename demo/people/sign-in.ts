const key = "deltaroom.demo.token";

/** What this tab was given, for a board whose Worker has a DELTAROOM_JWT_SECRET; undefined for none. */
export function keptToken(): string | undefined {
  try {
    return sessionStorage.getItem(key) ?? undefined;
  } catch {
    return undefined; // storage may be switched off
  }
}

/** The board does not let this tab in: asks for a token, and opens it again with that. */
export function askForToken(reason: string | undefined): void {
  if (reason !== "unauthorized" && reason !== "forbidden") return;
  const token = prompt("This board is not open to everybody. A token (npm run token):")?.trim();
  if (token === undefined || token === "") return;
  try {
    sessionStorage.setItem(key, token);
    location.reload();
  } catch {
    // There is nowhere to keep it, so nothing would be different.
  }
}
