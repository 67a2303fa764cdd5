import { handshakeActions } from "./deeds/handshake.ts";
import { httpActions } from "./deeds/http.ts";
import { playAll } from "./play.ts";

playAll(["HTTP", "handshake"], { ...httpActions, ...handshakeActions });
