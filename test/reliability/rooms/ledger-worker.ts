import { RoomObject, routeRooms } from "../../../src/server.ts";
import { ledger, ledgerLimits } from "./ledger.ts";

/** The room class of the tests that end its process: see `ledger`. */
export class Board extends RoomObject(ledger, {
  mutators: {
    refuse(tx, { entry, padding }, ctx) {
      const after = tx.totals.get("all")?.executions ?? 0;
      throw ctx.reject("refused", `${entry} is refused`, { after, padding });
    },
  },
  limits: ledgerLimits,
}) {}

export default {
  async fetch(request, env) {
    const response = await routeRooms(request, { "/rooms": env.ROOMS }, { allowAnonymous: true });
    return response ?? new Response("Not found", { status: 404 });
  },
} satisfies ExportedHandler<{ ROOMS: DurableObjectNamespace<Board> }>;
