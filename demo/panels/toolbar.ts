import { inks, type Ink, type Kind } from "../board.ts";
import { isClaimedHere, toggleClaim } from "../people/claims.ts";
import { sizeStep, type Edits } from "../shapes/edits.ts";
import { html, part, within } from "../elements.ts";
import type { BoardRoom } from "../room.ts";
import type { Selection } from "../shapes/selection.ts";

interface Toolbar {
  /** The colour that the next shape gets. */
  readonly color: Ink;
}

interface ToolbarActions {
  add(kind: Kind): void;
  confetti(): void;
}

export function createToolbar(
  room: BoardRoom,
  selection: Selection,
  edits: Edits,
  actions: ToolbarActions,
): Toolbar {
  let color: Ink = room.self.presence.color;
  const swatches = inks.map((ink) => createSwatch(ink));
  part("colours", HTMLElement).append(...swatches.map(({ button }) => button));

  const onSelected = (run: (id: string) => void) => () => {
    if (selection.id !== null) run(selection.id);
  };

  press("add-circle", () => actions.add("circle"));
  press("add-square", () => actions.add("square"));
  press("add-triangle", () => actions.add("triangle"));
  press("add-note", () => actions.add("note"));
  press("confetti", () => actions.confetti());
  press("clear", () => void room.mutate.clear({}));
  const undo = press("undo", () => void room.history.undo());
  const redo = press("redo", () => void room.history.redo());
  const claim = press(
    "claim",
    onSelected((id) => toggleClaim(room, id)),
  );
  const forSelected = [
    press(
      "smaller",
      onSelected((id) => edits.resize(id, 1 / sizeStep)),
    ),
    press(
      "bigger",
      onSelected((id) => edits.resize(id, sizeStep)),
    ),
    press(
      "delete",
      onSelected((id) => edits.remove(id)),
    ),
    claim,
  ];
  for (const { ink, button } of swatches) {
    button.addEventListener("click", () => {
      color = ink;
      if (selection.id !== null) edits.recolor(selection.id, ink);
      refresh();
    });
  }

  const refresh = () => {
    const { id } = selection;
    for (const button of forSelected) button.disabled = id === null;
    const mine = id !== null && isClaimedHere(room, id);
    claim.setAttribute("aria-pressed", String(mine));
    within(claim, "span", HTMLElement).textContent = mine ? "release" : "claim";
    for (const { ink, button } of swatches) button.setAttribute("aria-pressed", String(ink === color));
  };
  const showHistory = () => {
    undo.disabled = !room.history.canUndo;
    redo.disabled = !room.history.canRedo;
  };
  room.on("history", showHistory);
  showHistory();
  selection.onChange(refresh);
  room.observe("claims", refresh);
  refresh();

  return {
    get color() {
      return color;
    },
  };
}

/** Lets the button of that name be pressed; index.html has it disabled until there is a room to act on. */
function press(name: string, run: () => void): HTMLButtonElement {
  const button = part(name, HTMLButtonElement);
  button.disabled = false;
  button.addEventListener("click", run);
  return button;
}

function createSwatch(ink: Ink): { ink: Ink; button: HTMLButtonElement } {
  const button = html("button", "swatch");
  button.type = "button";
  button.dataset["testid"] = "colour";
  button.dataset["ink"] = ink;
  button.title = ink;
  button.setAttribute("aria-label", ink);
  return { ink, button };
}
