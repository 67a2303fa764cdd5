/** What an app's Worker imports: the class of its rooms, the way to them, and calls from a backend. Runs on Cloudflare Workers. */
export { RoomObject, RoomBase } from "./durable-object/room-object.ts";
export type { Client, RoomObjectOptions } from "./durable-object/room-options.ts";
export { remote, type RemoteOptions, type RemoteRoom, type RemoteStub } from "./durable-object/remote.ts";
export { routeRooms, type RouteOptions } from "./worker/route-rooms.ts";
export type { RoomNamespace, RoomRoutes } from "./worker/route-table.ts";
export type { Admission, AdmissionRequest, Authenticate } from "./worker/authentication.ts";
export { defaultLimits, type Limits } from "./room/limits.ts";
export type { EverydayLimits } from "./room/limits/everyday-limits.ts";
export type { InternalLimits } from "./room/limits/internal-limits.ts";
export type { ProtectiveLimits } from "./room/limits/protective-limits.ts";
export type { Access } from "./schema/access.ts";
export type { Fields } from "./model/json.ts";
export type { Operation } from "./room/engine/batch.ts";
export type { Caller } from "./model/call.ts";
export type { Authorize, ProposedChange, ProposedOperation } from "./room/engine/authorization.ts";
export { RejectedError, type RejectedOperation } from "./schema/rejected-error.ts";
