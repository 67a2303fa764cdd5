import type { Claim } from "../board.ts";
import type { BoardRoom } from "../room.ts";

/** The claim on a shape by somebody else. The room ends it when they leave. */
export function claimByOther(room: BoardRoom, id: string): Claim | undefined {
  const claim = room.state.claims.get(id);
  return claim?.clientId === room.self.clientId ? undefined : claim;
}

export function isClaimedHere(room: BoardRoom, id: string): boolean {
  return room.state.claims.get(id)?.clientId === room.self.clientId;
}

/** Claims a shape, or lets go of it; a refusal comes back through `room.on("reject")`. */
export function toggleClaim(room: BoardRoom, id: string): void {
  if (isClaimedHere(room, id)) {
    room.mutate.release({ id });
    return;
  }
  const { name, color } = room.self.presence;
  room.mutate.claim({ id, name, color });
}
