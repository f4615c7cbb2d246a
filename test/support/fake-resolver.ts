import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A DNS-over-HTTPS resolver on loopback, and what it was asked. */
export interface FakeResolver {
  readonly url: string;
  readonly asked: readonly URL[];
  readonly accepted: readonly (string | undefined)[];
  close(): void;
}

/** Bodies by record type; "500", "hang up" and "silence" are what they say. */
export type Answers = Readonly<Record<string, string>>;

export async function startResolver(answers: Answers): Promise<FakeResolver> {
  const asked: URL[] = [];
  const accepted: (string | undefined)[] = [];
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://127.0.0.1");
    asked.push(url);
    accepted.push(request.headers.accept);
    const answer = answers[url.searchParams.get("type") ?? ""] ?? "500";
    if (answer === "500") response.writeHead(500).end("{}");
    else if (answer === "hang up") response.destroy();
    else if (answer !== "silence") response.end(answer);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/dns-query?ct=json`,
    asked,
    accepted,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** An answer as `application/dns-json` has it: a status, and the data of each record. */
export function dnsJson(status: number, ...data: readonly string[]): string {
  const records = data.map((text) => ({ name: "x", type: 1, TTL: 60, data: text }));
  return JSON.stringify({ Status: status, TC: false, Answer: records });
}
