import type { DemoUser } from "./identity.ts";
import { html } from "../elements.ts";
import type { BoardRoom, Person } from "../room.ts";

/** More than these would not fit beside the title; the rest is a number. */
const maxShown = 6;

/** Lists who is here: oneself first, with a name that can be edited, then the others. */
export function showPeople(
  room: BoardRoom,
  list: HTMLElement,
  identity: DemoUser,
  onRename: (name: string) => void,
): void {
  const self = createSelf(identity, onRename);
  list.append(self);

  const redraw = (others: readonly Person[]) => {
    const shown = others.slice(0, maxShown).map(createPerson);
    const hidden = others.length - shown.length;
    if (hidden > 0) shown.push(html("li", "person person-more", `+${hidden}`));
    list.replaceChildren(self, ...shown);
    list.dataset["count"] = String(others.length + 1);
  };
  // Cursors make `onOthers` fire all the time; the list changes only with who is here, their names and colours.
  let drawn = "";
  room.onOthers((others) => {
    const wanted = others
      .map(({ clientId, presence }) => `${clientId} ${presence.color} ${presence.name}`)
      .join("\n");
    if (wanted === drawn) return;
    drawn = wanted;
    redraw(others);
  });
  redraw(room.others);
  const markSelf = () => void (self.dataset["person"] = room.self.clientId);
  room.on("self", markSelf);
  markSelf();
}

function createSelf(identity: DemoUser, onRename: (name: string) => void): HTMLElement {
  const item = html("li", "person person-self");
  item.dataset["ink"] = identity.color;
  const initial = html("span", "person-disc", initialOf(identity.name));
  const field = html("input", "person-field");
  field.dataset["testid"] = "name";
  field.setAttribute("aria-label", "your name");
  field.maxLength = 24;
  field.size = 8;
  field.autocomplete = "off";
  field.spellcheck = false;
  field.value = identity.name;
  field.addEventListener("input", () => {
    const name = field.value.trim();
    if (name === "") return;
    initial.textContent = initialOf(name);
    onRename(name);
  });
  field.addEventListener("keydown", (event) => event.key === "Enter" && field.blur());
  item.append(initial, field);
  return item;
}

function createPerson({ clientId, presence }: Person): HTMLElement {
  const item = html("li", "person");
  item.dataset["person"] = clientId;
  item.dataset["ink"] = presence.color;
  item.title = presence.name;
  item.append(
    html("span", "person-disc", initialOf(presence.name)),
    html("span", "person-name", presence.name),
  );
  return item;
}

function initialOf(name: string): string {
  const [first] = new Intl.Segmenter().segment(name);
  return first?.segment.toUpperCase() ?? "?";
}
