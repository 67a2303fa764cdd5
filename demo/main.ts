import * as z from "zod/mini";
import { sheet } from "./board.ts";
import { throwConfetti } from "./people/confetti.ts";
import { sendCursor, showCursors } from "./people/cursors.ts";
import { enableDragging } from "./shapes/dragging.ts";
import { createEdits } from "./shapes/edits.ts";
import { part, within } from "./elements.ts";
import { sheetPoint, sunflowerPoint, visibleArea } from "./shapes/geometry.ts";
import { sayInHint, showHint } from "./panels/hint.ts";
import { loadIdentity, roomNameFromAddress, storeIdentity } from "./people/identity.ts";
import { enableInvitation } from "./people/invitation.ts";
import { enableKeyboard } from "./shapes/keyboard.ts";
import { createPulses, createRevision, showLine } from "./panels/line-switch.ts";
import { showMarks } from "./shapes/marks.ts";
import { createNoteEditor } from "./shapes/note-text.ts";
import { showPeople } from "./people/people.ts";
import { createPins } from "./shapes/pins.ts";
import { openRoom } from "./room.ts";
import { createSelection } from "./shapes/selection.ts";
import { shapeIdAt, showShapes } from "./shapes/shapes.ts";
import { askForToken } from "./people/sign-in.ts";
import { createToasts } from "./panels/toasts.ts";
import { createToolbar } from "./panels/toolbar.ts";
import { showWaiting } from "./panels/waiting.ts";
import { createWireLog } from "./panels/wire-panel.ts";
import { createWireTotals } from "./panels/wire-totals.ts";
import { createWireTrace } from "./panels/wire-trace.ts";

// zod would try `new Function` first, which the page's Content-Security-Policy refuses and reports.
z.config({ jitless: true });

const identity = loadIdentity();
const roomName = roomNameFromAddress(location);
document.title = `${roomName} · deltaroom`;
part("room-name", HTMLElement).textContent = roomName;

const toasts = createToasts(within(document, ".toasts", HTMLElement));
const lineSwitch = part("offline-switch", HTMLButtonElement);
lineSwitch.dataset["ink"] = identity.color;
const wireTotals = createWireTotals(part("wire-totals", HTMLElement));
const frameListeners = [
  createWireLog(part("wire-log", HTMLOListElement)),
  createWireTrace(part("wire-trace", HTMLCanvasElement)),
  createPulses(lineSwitch),
  wireTotals.count,
];

const room = openRoom(roomName, { ...identity, cursor: null, holding: null }, (traffic) => {
  for (const listener of frameListeners) listener(traffic);
});
showLine(room, lineSwitch);
const showRevision = createRevision(room, part("revision", HTMLElement));
frameListeners.push(showRevision);
room.on("reject", (rejection) => toasts.show(rejection.message, rejection.code));
room.on("error", (error) => toasts.show(error.message, error.code));
enableInvitation(roomName, toasts);
enableWireToggle();
// A room that refuses this client says why through `on("error")`.
room.ready.then(showBoard, () => {
  sayInHint("This room cannot be opened.");
  askForToken(room.closeReason);
});

/** Everything that needs a state to show. */
function showBoard(): void {
  const board = part("board", HTMLElement);
  const drawing = within(board, ".drawing", SVGSVGElement);
  const viewport = within(document, ".board", HTMLElement);
  const pins = createPins(within(board, ".pins", HTMLElement));
  const selection = createSelection();
  const edits = createEdits(room, toasts);
  const editNote = createNoteEditor(room, pins);

  showShapes(room, selection, {
    inks: within(drawing, ".inks", SVGGElement),
    notes: within(drawing, ".notes", SVGGElement),
  });
  showMarks(room, selection, within(drawing, ".outlines", SVGGElement), pins);
  showWaiting(room, drawing);
  showCursors(room, pins);
  showHint(room);
  showPeople(room, part("people", HTMLElement), identity, (name) => {
    storeIdentity({ ...identity, name });
    room.presence.update({ name });
  });
  wireTotals.watch(room);

  const toolbar = createToolbar(room, selection, edits, {
    add(kind) {
      const id = edits.add(
        kind,
        toolbar.color,
        sunflowerPoint(visibleArea(board, viewport), room.state.shapes.size),
      );
      selection.select(id);
      if (kind === "note") editNote(id);
    },
    confetti() {
      const selected = selection.id === null ? undefined : room.state.shapes.get(selection.id);
      const { x, y } = selected ?? visibleArea(board, viewport).center;
      room.broadcast("confetti", { x, y });
      throwConfetti(pins, { x, y });
    },
  });
  room.onEvent("confetti", (at) => throwConfetti(pins, at));

  sendCursor(room, board);
  enableDragging(room, drawing, selection, toasts);
  enableKeyboard(room, selection, edits, { openNote: editNote });
  drawing.addEventListener("dblclick", (event) => {
    const met = shapeIdAt(event.target);
    if (met === undefined) selection.select(edits.add("circle", toolbar.color, sheetPoint(drawing, event)));
    else editNote(met);
  });

  selection.onChange((id) => {
    room.presence.update({ holding: id });
  });
  room.observe("shapes", (changes) => {
    if (changes.some(({ id, after }) => id === selection.id && !after)) selection.select(null);
  });

  board.dataset["width"] = String(sheet.width);
  board.dataset["height"] = String(sheet.height);
  board.removeAttribute("aria-busy");
  // A phone shows a part of the sheet: begin in its middle.
  viewport.scrollTo(
    (viewport.scrollWidth - viewport.clientWidth) / 2,
    (viewport.scrollHeight - viewport.clientHeight) / 2,
  );
}

/** On a narrow screen the panel lies behind a button. */
function enableWireToggle(): void {
  const toggle = part("wire-toggle", HTMLButtonElement);
  const panel = within(document, ".wire", HTMLElement);
  toggle.addEventListener("click", () => {
    const open = panel.toggleAttribute("data-open");
    toggle.setAttribute("aria-expanded", String(open));
  });
}
