import { lookup, reverse } from "node:dns/promises";
import { createServer } from "node:http";
import { Hono } from "hono";
import { hostOfArpaName } from "../egress/doh-resolver.ts";
import { listenOn, requestListener } from "../../protocol/node/http-server.ts";

export interface NameService {
  readonly url: string;
  close(): void;
}

/** RCODEs of RFC 1035 section 4.1.1. */
const Rcode = { NoError: 0, ServerFailure: 2, NameError: 3 } as const;

/**
 * What cloudflare-dns.com is to a deployed Worker, for one that runs here: answers A, AAAA and PTR
 * from this machine's own resolver, so that no lookup leaves for a third party.
 */
export async function serveNameService(): Promise<NameService> {
  const app = new Hono();
  app.get("/dns-query", async (context) => {
    const name = context.req.query("name") ?? "";
    try {
      const records = await recordsOf(name, context.req.query("type") ?? "A");
      return context.json({ Status: Rcode.NoError, Answer: records.map((data) => ({ data })) });
    } catch (error) {
      const isMissing = error instanceof Error && "code" in error && error.code === "ENOTFOUND";
      return context.json({ Status: isMissing ? Rcode.NameError : Rcode.ServerFailure });
    }
  });
  const server = createServer(requestListener((request) => app.fetch(request)));
  const port = await listenOn(server, "127.0.0.1", 0);
  return {
    url: `http://127.0.0.1:${port}/dns-query`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function recordsOf(name: string, type: string): Promise<string[]> {
  if (type === "PTR") return reverse(hostOfArpaName(name) ?? name);
  const found = await lookup(name, { all: true, family: type === "AAAA" ? 6 : 4 });
  return found.map(({ address }) => address);
}
