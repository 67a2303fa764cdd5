import { html } from "../elements.ts";

const visibleMs = 6_000;
const maxToasts = 4;

export interface Toasts {
  /** Shows `message`, with `code` before it when the room refused something. */
  show(message: string, code?: string): void;
}

/** Short messages over the board; the newest is last. A repeated one starts its time anew instead of piling up. */
export function createToasts(region: HTMLElement): Toasts {
  return {
    show(message, code) {
      const key = `${code ?? ""} ${message}`;
      region.querySelector(`[data-key="${CSS.escape(key)}"]`)?.remove();
      const toast = html("div", "toast");
      toast.dataset["testid"] = "toast";
      toast.dataset["key"] = key;
      if (code !== undefined) {
        toast.dataset["code"] = code;
        toast.append(html("code", "toast-code", code));
      }
      const close = html("button", "toast-close", "×");
      close.type = "button";
      close.setAttribute("aria-label", "dismiss");
      close.addEventListener("click", () => toast.remove());
      toast.append(html("span", "toast-message", message), close);
      region.append(toast);
      while (region.children.length > maxToasts) region.firstElementChild?.remove();
      setTimeout(() => toast.remove(), visibleMs);
    },
  };
}
