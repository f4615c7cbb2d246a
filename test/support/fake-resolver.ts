import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import ipaddr from "ipaddr.js";
import {
  decodeDnsHead,
  encodeAnswer,
  encodeNameData,
  encodeQuery,
  Rcode,
  RecordType,
} from "../../edge-worker/egress/dns/dns-message.ts";

/** A DNS-over-HTTPS resolver on loopback, and what it was asked: "name type". */
export interface FakeResolver {
  readonly url: string;
  readonly asked: readonly string[];
  readonly headers: readonly IncomingHttpHeaders[];
  close(): void;
}

/**
 * What a resolver says: addresses and names, of which it gives those of the type that was asked
 * for; a number is an RCODE; a word is what it says.
 */
export type Answer =
  | readonly string[]
  | number
  | "500"
  | "garbage"
  | "too long"
  | "another question"
  | "hang up"
  | "silence";

export const TTL_SECONDS = 60;

/** The response to a query that has these records. */
export function answerTo(
  query: Uint8Array,
  answer: readonly string[] | number,
): Uint8Array<ArrayBuffer> {
  if (typeof answer === "number") return encodeAnswer(query, answer);
  const { type } = decodeDnsHead(query).question;
  const records = answer.map(recordOf).filter((record) => {
    return record.type === type || (record.type === RecordType.CNAME && type !== RecordType.PTR);
  });
  return encodeAnswer(query, Rcode.NoError, records);
}

export async function startResolver(
  answer: (name: string, type: number) => Answer,
): Promise<FakeResolver> {
  const asked: string[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const query = new Uint8Array(body);
      const { name, type } = decodeDnsHead(query).question;
      asked.push(`${name} ${type}`);
      headers.push(request.headers);
      const said = answer(name, type);
      if (said === "500") response.writeHead(500).end(answerTo(query, []));
      else if (said === "garbage") response.end("<html>");
      else if (said === "too long") response.end(new Uint8Array(70_000));
      else if (said === "another question") response.end(answerTo(encodeQuery(0, "y.test", 1), []));
      else if (said === "hang up") response.destroy();
      else if (said !== "silence") response.end(answerTo(query, said));
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/dns-query?of=mine`,
    asked,
    headers,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A trailing dot marks a CNAME, as no name has one otherwise. */
function recordOf(text: string) {
  const ttlSeconds = TTL_SECONDS;
  if (text.endsWith(".")) {
    return { type: RecordType.CNAME, ttlSeconds, data: encodeNameData(text.slice(0, -1)) };
  }
  if (!ipaddr.isValid(text))
    return { type: RecordType.PTR, ttlSeconds, data: encodeNameData(text) };
  const octets = ipaddr.parse(text).toByteArray();
  const type = octets.length === 4 ? RecordType.A : RecordType.AAAA;
  return { type, ttlSeconds, data: Uint8Array.from(octets) };
}
