import { handshakeDeeds } from "./deeds/handshake.ts";
import { httpDeeds } from "./deeds/http.ts";
import { playAll } from "./play.ts";

playAll(["HTTP", "handshake"], { ...httpDeeds, ...handshakeDeeds });
