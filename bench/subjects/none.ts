import type { Subject } from "./subject.ts";

/** No proxy: shows how far the load generator is from being what limits the others. */
export const none: Subject = {
  name: "none",
  about: "a direct connection: what the load generator can do",
  missing: () => undefined,
  version: () => "",
  start: async () => ({ proxyPort: undefined, clientPids: [], serverPids: [] }),
};
