import { LINK_TOPICS, LOOPBACK_TOPICS } from "../measure/topics.ts";
import type { Subject } from "./subject.ts";

/** No proxy: shows how far the load generator is from being what limits the others. */
export const none: Subject = {
  name: "none",
  about: "a direct connection: what the load generator can do",
  topics: [...LOOPBACK_TOPICS, "udp", "relay", ...LINK_TOPICS],
  missing: () => undefined,
  version: () => "",
  start: async () => ({ proxyPort: undefined, clientPids: [], serverPids: [] }),
};
