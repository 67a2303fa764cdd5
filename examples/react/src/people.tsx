import { useOthers, useRoom, useSelf, useStatus } from "./room";

/** Who is here, and the switch between this window and the room. */
export function People() {
  const self = useSelf((self) => self.presence);
  const others = useOthers((others) => others.map(({ clientId }) => clientId));
  return (
    <header>
      <ul className="people" aria-label="people here">
        <li data-color={self.color}>{self.name} (you)</li>
        {others.map((clientId) => (
          <Other key={clientId} clientId={clientId} />
        ))}
      </ul>
      <Line />
    </header>
  );
}

function Other({ clientId }: { readonly clientId: string }) {
  const presence = useOthers((others) => others.find((other) => other.clientId === clientId)?.presence);
  return presence && <li data-color={presence.color}>{presence.name}</li>;
}

function Line() {
  const room = useRoom();
  const status = useStatus();
  const isOffline = status === "offline" || status === "closed";
  return (
    <button
      className="line"
      data-status={status}
      aria-pressed={isOffline}
      onClick={() => (isOffline ? room.reconnect() : room.disconnect())}
    >
      {status}
    </button>
  );
}
