import { DnsDeframer, frameMessage } from "../../edge-worker/egress/dns/dns-framing.ts";
import { startTarget, type Target } from "./target.ts";

/** A DNS server on loopback that speaks TCP alone; the test says what it answers. */
export interface TcpDnsServer extends Target {
  /** Queries, in the order they came. */
  readonly asked: readonly Uint8Array[];
  /** How many connections have come. */
  readonly connectionCount: () => number;
}

/** `answer` gives the responses to a query. */
export async function startTcpDnsServer(
  answer: (query: Uint8Array) => readonly Uint8Array[],
  host: string,
  port: number,
): Promise<TcpDnsServer> {
  const asked: Uint8Array[] = [];
  let connections = 0;
  const target = await startTarget(
    (socket) => {
      connections++;
      const deframer = new DnsDeframer();
      socket.on("data", (chunk: Buffer) => {
        for (const query of deframer.push(chunk)) {
          asked.push(query);
          for (const response of answer(query)) socket.write(frameMessage(response));
        }
      });
      socket.on("end", () => socket.end());
    },
    host,
    port,
  );
  return { ...target, asked, connectionCount: () => connections };
}
