import * as z from "zod/mini";
import { decodeBase64Url } from "../encoding/base64url.ts";
import { clientSecretPattern } from "./client-secret.ts";
import { helloPrefix } from "../version.ts";

// Annotated for the reason that `up-frames.ts` gives.
const counter: z.ZodMiniType<number> = z.int().check(z.nonnegative());

/** How much of a snapshot a client has. */
const resumeSnapshotSchema = z.object({
  epoch: z.string().check(z.maxLength(64)),
  /** Of the oldest part. */
  rev: counter,
  parts: counter,
  /** Of the newest part: its collection, and where its range ended, null for the end of the collection. */
  collection: z.string().check(z.maxLength(128)),
  until: z.nullable(z.string().check(z.maxLength(128))),
});
export type ResumeSnapshot = z.infer<typeof resumeSnapshotSchema>;

/** Of a token, in characters, whichever way it comes. */
export const maxTokenLength = 8_192;

/** Everything that a client says of itself and of what it has, before the first frame. */
export const helloSchema = z.object({
  /** The client chooses it at random, once a page load. Others see only the public id that follows from it. */
  secret: z.string().check(z.regex(clientSecretPattern)),
  /** Version of the app's schema, from `defineRoom`. */
  schema: counter,
  /** Where the client is: epoch and revision of the state it holds; null and 0 when it has none. */
  epoch: z.nullable(z.string().check(z.maxLength(64))),
  rev: counter,
  /** Newest `clientReqId` whose outcome the client has. */
  confirmed: counter,
  /**
   * Null while nothing that this client has sent is unanswered; else from the welcome behind the last hello that said
   * null. A room that has forgotten a client since then cannot tell what became of its calls.
   */
  knownSince: z.nullable(counter),
  /** Grows with each attempt of this client id to connect, so that one that arrives late does not replace a newer. */
  attempt: z.optional(counter),
  /**
   * Hash of the names that the client's definition has, see `names.ts`. Where the room's has the same, calls may be
   * pushed as bytes, with numbers for names.
   */
  names: z.optional(counter),
  /** Whether the client takes snapshot parts that are compressed with raw deflate. */
  acceptsDeflate: z.optional(z.boolean()),
  /** Where a snapshot was cut: what came of it, and the room need not send again. */
  resumeSnapshot: z.optional(resumeSnapshotSchema),
  /** For `authenticate`; left out when there is none. */
  token: z.optional(z.string().check(z.maxLength(maxTokenLength))),
});
export type Hello = z.infer<typeof helloSchema>;

/** The hello among the subprotocols that a client offers; undefined when there is none that can be read. */
export function decodeHello(subprotocols: readonly string[]): Hello | undefined {
  const encoded = subprotocols.find((offered) => offered.startsWith(helloPrefix));
  if (encoded === undefined) return undefined;
  try {
    const parsed = helloSchema.safeParse(JSON.parse(decodeBase64Url(encoded.slice(helloPrefix.length))));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined; // not base64, or not JSON
  }
}
