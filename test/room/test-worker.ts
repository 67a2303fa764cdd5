import { DurableObject } from "cloudflare:workers";

// A stand-in until the room exists.
export class Board extends DurableObject {}
export class TestRoom extends Board {}

export default {
  fetch(): Response {
    return new Response("ok");
  },
};
