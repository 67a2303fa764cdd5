import { decodeUtf8, utf8Encoder } from "../model/utf8.ts";
import type { Json } from "../schema/json.ts";
import type { Attachment } from "../room/sessions/session.ts";

/** Changes with the form of an attachment: one of another form cannot be read after a deploy. */
const layout = 1;

/** An attachment as the platform is given it: what a client and `authenticate` have said is UTF-8 of its JSON. */
interface Packed extends Omit<Attachment, "presence"> {
  readonly layout: typeof layout;
  readonly said: Uint8Array;
}

/** The presence is left out when there is none. */
type Said = readonly [user: Json, presence?: Json];

/**
 * Limits count bytes of JSON. What the platform makes of texts and numbers can be more than twice as long, so that a session
 * within its limits could be too large to keep; as UTF-8 it is as long as it was counted.
 */
export function packAttachment({ presence, ...attachment }: Attachment): object {
  const { user } = attachment.client;
  const said: Said = presence === undefined ? [user] : [user, presence];
  const client = { ...attachment.client, user: null };
  return { ...attachment, layout, client, said: utf8Encoder().encode(JSON.stringify(said)) } satisfies Packed;
}

/** What {@link packAttachment} was given; undefined for an attachment that another version of this package, or the app, has written. */
export function unpackAttachment(packed: object): Attachment | undefined {
  const { layout: writtenAs, said, ...attachment } = packed as Partial<Packed>;
  if (writtenAs !== layout || !(said instanceof Uint8Array)) return undefined;
  try {
    const [user, presence] = JSON.parse(decodeUtf8(said)) as Said;
    const client = { ...(attachment as Attachment).client, user };
    return { ...(attachment as Attachment), client, ...(presence !== undefined && { presence }) };
  } catch {
    return undefined;
  }
}
