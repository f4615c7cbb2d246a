import type { NodeAgentOptions } from "../../client-agent/node/serve-agent.ts";
import { openGate } from "./open-gate.ts";
import { udpSettings } from "./udp-settings.ts";

/** What an agent is told where a test has no wish of its own: any port, for all. */
export const agentSettings: Omit<NodeAgentOptions, "admission" | "edges" | "log"> = {
  listen: { host: "127.0.0.1", port: 0 },
  users: new Map(),
  handshakeTimeoutMs: 30_000,
  gate: openGate,
  udp: udpSettings,
  isolate: "none",
  open: "honest",
};
