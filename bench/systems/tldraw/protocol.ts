import * as syncCore from "@tldraw/sync-core";

/** Exported, and left out of the package's declarations. */
export const { getTlsyncProtocolVersion } = syncCore as unknown as {
  readonly getTlsyncProtocolVersion: () => number;
};

/** A record that is new, or fields of one that are. */
export type RecordOperation =
  | readonly ["put", object]
  | readonly ["patch", { readonly [field: string]: readonly ["put", unknown] }]
  | readonly ["remove"];

export interface Diff {
  readonly [id: string]: RecordOperation;
}

/** What a player says. */
export type Up =
  | { readonly type: "ping" }
  | { readonly type: "push"; readonly clientClock: number; readonly diff: Diff }
  | {
      readonly type: "connect";
      readonly connectRequestId: string;
      readonly lastServerClock: number;
      readonly protocolVersion: number;
      readonly schema: object;
    };

/** What a player has to understand. */
export type Down =
  | { readonly type: "incompatibility_error"; readonly reason: string }
  | { readonly type: "data"; readonly data: readonly DataEvent[] }
  | { readonly type: "pong" };

type DataEvent =
  | { readonly type: "patch"; readonly diff: Diff }
  | {
      readonly type: "push_result";
      readonly clientClock: number;
      readonly action: "commit" | "discard" | object;
    };
