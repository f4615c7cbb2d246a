import type { Client } from "../interop/clients.ts";

/** The real programs of these tests, and the Debian packages that they are in. */
export const programs = {
  curl: { name: "curl", debian: "curl" },
  ssh: {
    name: "ssh through nc",
    debian: "netcat-openbsd",
    with: ["openssh-client", "openssh-server"],
  },
  redis: {
    name: "redis-cli through socat",
    debian: "redis-tools",
    with: ["redis-server", "socat"],
  },
} as const satisfies Record<string, Client>;
