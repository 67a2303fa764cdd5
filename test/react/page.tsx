import { act, Component, StrictMode, type ReactNode } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, onTestFinished, vi } from "vitest";
import { createRoomContext } from "../../client/react/index.ts";
import { undo } from "../../client/undo/index.ts";
import { clientBoard } from "../support/boards/client-board.ts";
import { ScriptedRoom, turn, type Greeting, type ScriptedSocket } from "../support/rooms/scripted-room.ts";

declare global {
  /** React's own switch: whether tests tell it when to work. */
  var IS_REACT_ACT_ENVIRONMENT: boolean;
}
globalThis.IS_REACT_ACT_ENVIRONMENT = true;

/** What was said in the console, by React or the client. A test that does not take it out fails. */
let said: string[] = [];
beforeEach(() => {
  said = [];
  for (const method of ["warn", "error"] as const) {
    vi.spyOn(console, method).mockImplementation((...message: unknown[]) => {
      said.push(message.map(String).join(" "));
    });
  }
});
afterEach(() => {
  vi.restoreAllMocks();
  if (said.length > 0) throw new Error(`the console says: ${said.join("\n")}`);
});

/** What was said in the console; from here on nobody minds it. */
export function takeSaid(): string[] {
  return said.splice(0);
}

/** The provider and the hooks that the tests are of. */
export const board = createRoomContext(clientBoard);

/** A page with something rendered into it. */
export class Page {
  readonly container: HTMLElement;
  /** What React could not do as it was meant to: hydration that did not match, above all. */
  readonly recovered: unknown[] = [];
  readonly #root: Root;
  readonly #isStrict: boolean;

  constructor(content: ReactNode, { isStrict = false, html }: { isStrict?: boolean; html?: string } = {}) {
    this.#isStrict = isStrict;
    this.container = document.createElement("main");
    document.body.append(this.container);
    const options = {
      onRecoverableError: (error: unknown) => this.recovered.push(error),
      onCaughtError() {},
    };
    if (html === undefined) {
      this.#root = createRoot(this.container, options);
      this.render(content);
    } else {
      this.container.innerHTML = html;
      const roots: Root[] = [];
      act(() => void roots.push(hydrateRoot(this.container, this.#wrap(content), options)));
      this.#root = roots[0] as Root;
    }
    onTestFinished(async () => {
      await act(async () => {
        this.#root.unmount();
        await turn();
      });
      this.container.remove();
    });
  }

  render(content: ReactNode): void {
    act(() => this.#root.render(this.#wrap(content)));
  }

  /** The app goes. */
  async unmount(): Promise<void> {
    await act(async () => {
      this.#root.unmount();
      await turn();
    });
  }

  get text(): string {
    return this.container.textContent ?? "";
  }

  /** Without what React hides and keeps, as it does while something waits. */
  get visibleText(): string {
    const copy = this.container.cloneNode(true) as HTMLElement;
    for (const element of copy.querySelectorAll<HTMLElement>("*")) {
      if (element.style.display === "none") element.remove();
    }
    return copy.textContent ?? "";
  }

  find<E extends Element = HTMLElement>(selector: string): E {
    const found = this.container.querySelector<E>(selector);
    if (found === null) throw new Error(`there is no ${selector} in ${this.container.innerHTML}`);
    return found;
  }

  #wrap(content: ReactNode): ReactNode {
    return this.#isStrict ? <StrictMode>{content}</StrictMode> : content;
  }
}

/** Does something that the page may react to, and waits until it has. */
export async function after<T>(act_: () => T | Promise<T>): Promise<T> {
  return await act(async () => {
    const result = await act_();
    await turn();
    return result;
  });
}

export interface Shown {
  readonly page: Page;
  readonly server: ScriptedRoom;
  readonly socket: ScriptedSocket;
}

export interface ShowOptions {
  readonly greeting?: Greeting;
  readonly isStrict?: boolean;
  readonly presence?: { readonly x: number; readonly y: number };
}

/** Renders `children` in a room that has greeted them. */
export async function show(
  children: ReactNode,
  { greeting, isStrict = false, presence }: ShowOptions = {},
): Promise<Shown & { readonly rerender: (children: ReactNode) => void }> {
  const server = new ScriptedRoom();
  const inRoom = (children: ReactNode) => (
    <board.RoomProvider
      url="/rooms/lobby"
      transport={server.transport}
      undo={undo}
      {...(presence && { initialPresence: presence })}
    >
      {children}
    </board.RoomProvider>
  );
  const page = new Page(inRoom(children), { isStrict });
  const socket = await after(() => server.attempt(1));
  await after(() => socket.greet(greeting));
  return { page, server, socket, rerender: (children) => page.render(inRoom(children)) };
}

/** Shows `oops: ` and the message of what is thrown below it. */
export class Boundary extends Component<{ readonly children: ReactNode }, { error: unknown }> {
  override state: { error: unknown } = { error: undefined };

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    const code = (error as { code?: string }).code;
    return (
      <p>
        oops: {code ?? ""} {(error as Error).message}
      </p>
    );
  }
}
