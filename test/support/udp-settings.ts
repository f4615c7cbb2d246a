import type { UdpSettings } from "../../client-agent/node/serve-agent.ts";

/** The defaults of the command line. */
export const udpSettings: UdpSettings = {
  fragmentLimits: { maxBytes: 65_536, maxCount: 127, timeoutMs: 5000 },
  queueBytes: 1_048_576,
  uplinkBytes: 524_288,
};
