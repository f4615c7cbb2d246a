import type { GateSettings } from "../../client-agent/listeners/gate.ts";

/** A gate that turns nobody away. */
export const openGate: GateSettings = {
  allow: [],
  maxClients: Number.MAX_SAFE_INTEGER,
  maxClientsPerAddress: Number.MAX_SAFE_INTEGER,
};
