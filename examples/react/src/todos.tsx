import { useState, type KeyboardEvent } from "react";
import { newId, RejectedError } from "deltaroom/client";
import { useMutate, useOthers, usePending, useMyPresence, useRoom, useRoomState } from "./room";

export function Todos() {
  const room = useRoom();
  // Runs when any todo has changed; renders when that is another order.
  const ids = useRoomState((s) => {
    return s.todos
      .entries()
      .toSorted(([, a], [, b]) => a.at - b.at)
      .map(([id]) => id);
  });
  const add = (text: string) => {
    room.transact((tx) => tx.todos.put(newId(), { text, isDone: false, at: Date.now() }));
  };
  return (
    <section>
      <ul className="todos">
        {ids.map((id) => (
          <Todo key={id} id={id} />
        ))}
      </ul>
      <NewTodo add={add} />
      <Footer />
    </section>
  );
}

function Todo({ id }: { readonly id: string }) {
  const room = useRoom();
  const todo = useRoomState((s) => s.todos.get(id));
  const isPending = usePending("todos", id);
  const [, updatePresence] = useMyPresence();
  const editors = useOthers((others) => {
    return others.filter(({ presence }) => presence.editing === id).map(({ presence }) => presence);
  });
  if (todo === undefined) return null;
  const edit = (fields: { text?: string; isDone?: boolean }) => {
    room.transact((tx) => tx.todos.patch(id, fields));
  };
  const removeEmpty = ({ key }: KeyboardEvent) => {
    if (key === "Backspace" && todo.text === "") room.transact((tx) => tx.todos.delete(id));
  };
  return (
    <li className="todo" data-pending={isPending} data-color={editors[0]?.color}>
      <input
        type="checkbox"
        aria-label={`${todo.text} is done`}
        checked={todo.isDone}
        onChange={({ target }) => edit({ isDone: target.checked })}
      />
      <input
        className="text"
        aria-label="todo"
        value={todo.text}
        maxLength={200}
        onChange={({ target }) => edit({ text: target.value })}
        onFocus={() => updatePresence({ editing: id })}
        onBlur={() => updatePresence({ editing: null })}
        onKeyDown={removeEmpty}
      />
      {editors.length > 0 && <small className="editors">{editors.map(({ name }) => name).join(", ")}</small>}
    </li>
  );
}

function NewTodo({ add }: { readonly add: (text: string) => void }) {
  const [text, setText] = useState("");
  return (
    <form
      className="todo new"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() === "") return;
        add(text.trim());
        setText("");
      }}
    >
      <span aria-hidden="true">+</span>
      <input
        className="text"
        aria-label="new todo"
        placeholder="add something"
        value={text}
        maxLength={200}
        onChange={({ target }) => setText(target.value)}
      />
    </form>
  );
}

function Footer() {
  const { clearDone } = useMutate();
  const left = useRoomState((s) => s.todos.values().filter(({ isDone }) => !isDone).length);
  const waiting = usePending();
  const [problem, setProblem] = useState("");
  const clear = async () => {
    try {
      await clearDone({}).committed;
      setProblem("");
    } catch (error) {
      setProblem(error instanceof RejectedError ? error.message : String(error));
    }
  };
  return (
    <footer>
      <span>{left === 1 ? "1 thing left" : `${left} things left`}</span>
      {waiting > 0 && <span className="waiting">{waiting} waiting</span>}
      <span role="status">{problem}</span>
      <button onClick={() => void clear()}>clear done</button>
    </footer>
  );
}
