import { part } from "../elements.ts";
import { linkToRoom } from "./identity.ts";
import type { Toasts } from "../panels/toasts.ts";

/** The two ways to bring a second person here: a link for somebody else, a window for oneself. */
export function enableInvitation(roomName: string, toasts: Toasts): void {
  const link = linkToRoom(roomName, location);
  part("copy-link", HTMLButtonElement).addEventListener("click", () => {
    copy(link).then(
      () => toasts.show("The link is in your clipboard."),
      () => toasts.show(`The clipboard is not allowed here. The link is ${link}`),
    );
  });
  part("second-window", HTMLButtonElement).addEventListener("click", () => {
    // Without an opener the new window has a session storage of its own, hence another name and colour.
    window.open(link, "_blank", "noopener,width=1100,height=760");
  });
}

async function copy(text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
}
