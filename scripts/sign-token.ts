/**
 * Prints a token for rooms of the demo's Worker, good for an hour: `npm run token -- lobby "team-*" --name Ada --access read`.
 *
 * It is signed with DELTAROOM_JWT_SECRET, of the environment or of `.dev.vars`, where `wrangler dev` finds it as well.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { SignJWT } from "jose";

const devVars = fileURLToPath(new URL("../.dev.vars", import.meta.url));
if (existsSync(devVars)) process.loadEnvFile(devVars); // what the environment says is left as it is

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: "string", default: "Ada" },
    access: { type: "string", default: "write" },
    minutes: { type: "string", default: "60" },
  },
});
const secret = process.env["DELTAROOM_JWT_SECRET"];
const rooms = positionals.length > 0 ? positionals : ["lobby"];
if (secret === undefined) {
  console.error("There is no DELTAROOM_JWT_SECRET, in the environment or in .dev.vars");
  process.exitCode = 1;
} else {
  const { name, access, minutes } = values;
  const token = await new SignJWT({ sub: name.toLowerCase(), name, access, rooms })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuedAt()
    .setExpirationTime(`${Number(minutes)} minutes`)
    .sign(new TextEncoder().encode(secret));
  console.log(token);
}
