import type { GateSettings } from "../../client-agent/listeners/gate.ts";

/** A gate that turns nobody away. */
export const openGate: GateSettings = {
  allow: [],
  maxClients: 1000,
  maxClientsPerAddress: 1000,
  maxHandshakes: 1000,
};
