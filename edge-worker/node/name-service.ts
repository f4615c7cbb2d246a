import { createServer } from "node:http";
import { Hono } from "hono";
import ipaddr from "ipaddr.js";
import { parseHost } from "../../protocol/address.ts";
import { listenOn, requestListener } from "../../protocol/node/http-server.ts";
import { hostOfArpaName } from "../egress/dns/arpa-name.ts";
import {
  decodeDnsHead,
  type DnsAnswerData,
  type DnsQuestion,
  encodeAnswer,
  encodeNameData,
  Rcode,
  RecordType,
} from "../egress/dns/dns-message.ts";
import { systemSource } from "./system-source.ts";

export interface NameService {
  readonly url: string;
  close(): void;
}

/** RFC 8484 section 6. */
const MEDIA_TYPE = "application/dns-message";
/** The system tells no TTL. */
const TTL_SECONDS = 0;

/**
 * What cloudflare-dns.com is to a deployed Worker, for one that runs here: DNS over HTTPS, without
 * the S, that answers A, AAAA and PTR from this machine's own resolver, so that no lookup leaves
 * for a third party.
 */
export async function serveNameService(): Promise<NameService> {
  const app = new Hono();
  app.post("/dns-query", async (context) => {
    const query = new Uint8Array(await context.req.arrayBuffer());
    const answer = await answerTo(query);
    if (!answer) return context.body(null, 400);
    return context.body(answer, 200, { "content-type": MEDIA_TYPE });
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

async function answerTo(query: Uint8Array): Promise<Uint8Array<ArrayBuffer> | undefined> {
  let question: DnsQuestion;
  try {
    question = decodeDnsHead(query).question;
  } catch {
    return undefined;
  }
  try {
    const data = await dataOf(question);
    const { type } = question;
    const records = data.map((bytes): DnsAnswerData => {
      return { type, ttlSeconds: TTL_SECONDS, data: bytes };
    });
    // No records say "none of that type": the system does not tell whether the name has others.
    return encodeAnswer(query, Rcode.NoError, records);
  } catch {
    return encodeAnswer(query, Rcode.ServerFailure);
  }
}

async function dataOf({ name, type }: DnsQuestion): Promise<Uint8Array[]> {
  if (type === RecordType.PTR) {
    const host = hostOfArpaName(name);
    const names = host === undefined ? [] : (await systemSource.namesOf(host)).data;
    return names.map((text) => encodeNameData(parseHost(text).host));
  }
  if (type !== RecordType.A && type !== RecordType.AAAA) return [];
  const { data } = await systemSource.addressesOf(name);
  const octets = data.map((address) => Uint8Array.from(ipaddr.parse(address).toByteArray()));
  return octets.filter(({ length }) => length === (type === RecordType.A ? 4 : 16));
}
