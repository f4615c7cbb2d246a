import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  decodeDnsHead,
  decodeDnsMessage,
  encodeAnswer,
  encodeQuery,
  RecordType,
} from "../../edge-worker/egress/dns/dns-message.ts";
import type { Outbound } from "../../edge-worker/egress/outbound.ts";
import type { RunningEdge } from "../../edge-worker/node/serve.ts";
import { parseAddress } from "../../protocol/address.ts";
import { Admission } from "../../protocol/admission.ts";
import { Capability } from "../../protocol/wire.ts";
import { answerTo } from "../support/fake-resolver.ts";
import { connectRawAgent, type RawAgent } from "../support/raw-agent.ts";
import { startTcpDnsServer, type TcpDnsServer } from "../support/tcp-dns-server.ts";
import { openUdpStream } from "../support/udp-stream.ts";
import type { StartEdge } from "./edge.ts";

const secret = randomBytes(32).toString("base64url");
const keyId = "test";

/** An address of loopback that no other test's server has: port 53 is one alone. */
const loopbackHost = (): string => {
  const [a = 0, b = 0] = randomBytes(2);
  return `127.53.${a}.${Math.max(1, b)}`;
};

/** Why nobody can listen on port 53 here; undefined when somebody can. */
async function missingPort(): Promise<string | undefined> {
  try {
    const probe = await startTcpDnsServer(() => [], loopbackHost(), 53);
    await probe.close();
    return undefined;
  } catch (error) {
    return `Skipping tests of DNS over TCP: cannot listen on port 53: ${String(error)}`;
  }
}

const portMissing = await missingPort();
if (portMissing !== undefined) process.stderr.write(`${portMissing}\n`);

/** UDP to port 53 as DNS over TCP, for every edge in the mode "dns". */
export function describeDns(name: string, start: StartEdge, plain: Outbound): void {
  describe.skipIf(portMissing !== undefined)(`${name}, UDP as DNS over TCP`, () => {
    const host = loopbackHost();
    const resolver = parseAddress(host, 53);
    let edge: RunningEdge;
    let agent: RawAgent;
    let server: TcpDnsServer;
    let answer: (query: Uint8Array) => readonly Uint8Array[] = (query) => [answerTo(query, [])];

    beforeAll(async () => {
      server = await startTcpDnsServer((query) => answer(query), host, 53);
      edge = await start({
        access: { keys: [{ id: keyId, secret }], rules: [] },
        allowPrivate: true,
        connectTimeoutMs: 5000,
        outbound: { ...plain, udp: "dns" },
      });
      const url = new URL(`ws://127.0.0.1:${edge.port}/`);
      agent = await connectRawAgent(url, new Admission(keyId, secret));
    });
    afterEach(() => void (answer = (query) => [answerTo(query, [])]));
    afterAll(async () => {
      await agent.close();
      await edge.stop(0);
      await server.close();
    });

    it("is announced in HELLO", () => {
      expect(agent.hello.capabilities & Capability.UdpDns).not.toBe(0);
      expect(agent.hello.capabilities & Capability.UdpNative).toBe(0);
    });

    it("brings queries to the resolver that was asked, by one connection", async () => {
      answer = (query) => [answerTo(query, ["192.0.2.1"])];
      const udp = await openUdpStream(agent.session);
      for (let id = 0; id < 20; id++) {
        const query = encodeQuery(id, `${id}.test`, RecordType.A);
        udp.send(resolver, query);
        const { from, bytes } = await udp.next();
        expect(from).toEqual(resolver);
        expect(bytes).toEqual(answerTo(query, ["192.0.2.1"]));
      }
      expect(server.connectionCount()).toBe(1);
      await udp.close();
    });

    it("keeps two clients with the same id apart, whatever the order of answers", async () => {
      const held: Uint8Array[] = [];
      answer = (query) => {
        held.push(query);
        if (held.length < 2) return [];
        return held.toReversed().map((each) => {
          const { name: asked } = decodeDnsHead(each).question;
          return answerTo(each, [asked === "a.test" ? "192.0.2.1" : "192.0.2.2"]);
        });
      };
      const [first, second] = [
        await openUdpStream(agent.session),
        await openUdpStream(agent.session),
      ];
      first.send(resolver, encodeQuery(7, "a.test", RecordType.A));
      second.send(resolver, encodeQuery(7, "b.test", RecordType.A));
      for (const [udp, text] of [
        [first, "192.0.2.1"],
        [second, "192.0.2.2"],
      ] as const) {
        const { id, answers } = decodeDnsMessage((await udp.next()).bytes);
        expect([id, answers.map((record) => record.text)]).toEqual([7, [text]]);
        await udp.close();
      }
    });

    it("cuts an answer of 65,535 bytes for a client that takes 512, and says so", async () => {
      answer = (query) => {
        const data = new Uint8Array(65_535 - query.length - 12);
        return [encodeAnswer(query, 0, [{ type: 16, ttlSeconds: 60, data }])];
      };
      const udp = await openUdpStream(agent.session);
      udp.send(resolver, encodeQuery(7, "x.test", 16));
      const { bytes } = await udp.next();
      // TC is 0x02 of the third octet.
      expect([bytes.length < 512, (bytes[2] ?? 0) & 0x02]).toEqual([true, 0x02]);
      await udp.close();
    });

    it("drops what is for other ports, and what is no DNS", async () => {
      const before = server.asked.length;
      const udp = await openUdpStream(agent.session);
      const query = encodeQuery(7, "x.test", RecordType.A);
      udp.send({ ...resolver, port: 5353 }, query);
      udp.send(resolver, Uint8Array.of(1, 2, 3));
      udp.send(resolver, query);
      expect((await udp.next()).bytes).toEqual(answerTo(query, []));
      expect(server.asked.length).toBe(before + 1);
      await udp.close();
    });
  });
}
