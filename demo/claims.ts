import type { Claim } from "./board.ts";
import type { BoardRoom } from "./room.ts";

/**
 * The claim on a shape by somebody else who is here. While we are offline nobody can be seen,
 * so every claim counts: whether its holder has left is for the room to say.
 */
export function claimByOther(room: BoardRoom, id: string): Claim | undefined {
  const claim = room.state.claims.get(id);
  if (!claim || claim.actor === room.self.actor) return undefined;
  return hasLeft(room, claim.actor) ? undefined : claim;
}

export function isClaimedHere(room: BoardRoom, id: string): boolean {
  return room.state.claims.get(id)?.actor === room.self.actor;
}

/** True of an actor that we are connected well enough to miss. */
export function hasLeft(room: BoardRoom, actor: string): boolean {
  return (
    room.status === "online" &&
    actor !== room.self.actor &&
    room.others.every((other) => other.actor !== actor)
  );
}

/** Claims a shape, or lets go of it; a refusal comes back through `room.on("reject")`. */
export function toggleClaim(room: BoardRoom, id: string): void {
  if (isClaimedHere(room, id)) {
    room.mutate.release({ id });
    return;
  }
  const { name, color } = room.self.presence;
  const held = room.state.claims.get(id);
  const departed = held && hasLeft(room, held.actor) ? { departed: held.actor } : {};
  room.mutate.claim({ id, name, color, ...departed });
}
