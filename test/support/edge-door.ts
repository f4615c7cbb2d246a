import type { GuardSettings } from "../../edge-worker/client-guard.ts";
import type { ListenEndpoint } from "../../protocol/node/listening.ts";

/** What an edge is told of its doors where a test has no wish of its own: any port, for all. */
export const edgeDoor: {
  readonly listen: readonly ListenEndpoint[];
  readonly listenPlain: readonly ListenEndpoint[];
  readonly guard: GuardSettings;
  readonly maxDials: number;
} = {
  listen: [{ host: "127.0.0.1", port: 0 }],
  listenPlain: [],
  guard: {
    maxConnections: 10_000,
    maxConnectionsPerAddress: 10_000,
    proxies: { ranges: [], isUnixTrusted: false, fields: [] },
  },
  maxDials: 512,
};
