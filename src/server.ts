/** What an app's Worker imports: the class of its rooms, the way to them, and calls from a backend. Runs on Cloudflare Workers. */
export { RoomObject, RoomBase } from "./room/room-object.ts";
export type { Client, RoomObjectOptions } from "./room/room-options.ts";
export { remote, type RemoteOptions, type RemoteRoom, type RemoteStub } from "./room/remote.ts";
export { routeRooms, type RoomNamespace, type RoomRoutes, type RouteOptions } from "./edge/route-rooms.ts";
export type { Admission, AdmissionRequest, Authenticate } from "./edge/admission.ts";
export { defaultLimits, type Limits } from "./core/limits.ts";
export type { Fields } from "./core/json.ts";
export type { Operation } from "./core/batch.ts";
export type { Caller } from "./core/call.ts";
export type { Authorize, ProposedChange, ProposedOperation } from "./core/engine.ts";
export { RejectedError, type RejectedOperation } from "./schema/rejected-error.ts";
