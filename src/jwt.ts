/** Signing people in by JSON Web Tokens: an `authenticate` for `routeRooms`. Nobody else's Worker carries what that takes. */
export { jwtAuthenticator, type JwtClaims, type JwtOptions } from "./worker/jwt/authenticator.ts";
export type { JwtKeys, KnownSigner } from "./worker/jwt/keys.ts";
// `jwtAuthenticator` names types of the server. With these exports an app can export what it returns.
export type { Admission, AdmissionRequest, Authenticate } from "./worker/authentication.ts";
