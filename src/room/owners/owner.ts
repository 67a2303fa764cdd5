import type { Json } from "../../schema/json.ts";
import { canonicalJson } from "../../model/checksum.ts";
import { hashName } from "./hash-name.ts";

/** Of a user id, in characters: longer ids are hashed, since an owner is stored with each client. */
const maxIdLength = 64;

/**
 * Names the person that a client belongs to: by `user.id` where there is one, else by the whole user. Returns "" for nobody in
 * particular, `=<id>` for an id, and `#<hash>` for everything else, so that no id equals a hash, and an empty id is not nobody.
 * An id with half a surrogate pair is hashed too: storage would read it back as another.
 */
export function ownerOf(user: Json): string {
  if (user === null) return "";
  const id = typeof user === "object" && "id" in user ? user["id"] : null;
  if (typeof id === "string" && id.length <= maxIdLength && id.isWellFormed()) return `=${id}`;
  // The limit of a user's bytes bounds the depth. To leave out what is nested deeply would make two people one.
  return `#${hashName(canonicalJson(id === null ? { user } : { id }, Infinity))}`;
}
