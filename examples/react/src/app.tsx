import { useSyncExternalStore } from "react";
import { loadIdentity } from "./identity";
import { People } from "./people";
import { RoomProvider } from "./room";
import { Todos } from "./todos";

const identity = loadIdentity();
const lists = ["groceries", "weekend", "some day"];

/** The name of the list in the address: `#weekend`. */
function readListName(): string {
  return decodeURIComponent(location.hash.slice(1)) || "groceries";
}

function followAddress(told: () => void): () => void {
  addEventListener("hashchange", told);
  return () => removeEventListener("hashchange", told);
}

export function App() {
  const name = useSyncExternalStore(followAddress, readListName);
  return (
    <main className="page">
      <nav>
        {lists.map((list) => (
          <a
            key={list}
            href={`#${encodeURIComponent(list)}`}
            aria-current={list === name ? "page" : undefined}
          >
            {list}
          </a>
        ))}
      </nav>
      <RoomProvider
        url={`/lists/${name.replaceAll(/[^\w.~-]/g, "-")}`}
        initialPresence={{ ...identity, editing: null }}
        fallback={<Blank />}
        errorFallback={(error, retry) => (
          <p className="refusal" role="alert">
            {error instanceof Error ? error.message : "This list cannot be opened."}{" "}
            <button onClick={retry}>try again</button>
          </p>
        )}
      >
        <People />
        <Todos />
      </RoomProvider>
    </main>
  );
}

/** Where the list will be. */
function Blank() {
  return (
    <div className="blank" aria-busy="true">
      <i />
      <i />
      <i />
    </div>
  );
}
