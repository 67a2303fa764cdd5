import { handshakeActions } from "./actions/handshake.ts";
import { httpActions } from "./actions/http.ts";
import { playAll } from "./play.ts";

playAll(["HTTP", "handshake"], { ...httpActions, ...handshakeActions });
