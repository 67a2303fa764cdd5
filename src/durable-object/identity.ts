import type { Identity } from "../room/sessions/admission.ts";

/** Carries what `authenticate` said from the Worker to the room. Whatever a client sends under this name is dropped. */
const identityHeader = "deltaroom-identity";

/** The request as the room is to see it. */
export function withIdentity(request: Request, identity: Identity): Request {
  const headers = new Headers(request.headers);
  headers.set(identityHeader, encodeURIComponent(JSON.stringify(identity)));
  return new Request(request, { headers });
}

export function readIdentity(request: Request): Identity {
  const text = request.headers.get(identityHeader);
  if (text === null) throw new Error("rooms are reached through routeRooms");
  const { user, access, role, expiresAt } = JSON.parse(decodeURIComponent(text)) as Identity; // `routeRooms` wrote it
  return {
    user,
    access,
    ...(role !== undefined && { role }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}
