import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { nodeOutbound, type Outbound } from "../../edge-worker/egress/outbound.ts";
import { breakCarriers, startBrokenNetwork } from "../support/broken-network.ts";
import { coturnMissing, startCoturn } from "../support/coturn.ts";
import { readExactly } from "../support/socks-client.ts";
import { openUdpPeer } from "../support/udp-peer.ts";
import { access, type EdgeName, edgeNames, edges, keyId, secret } from "./edges.ts";
import { programLosses } from "./settings.ts";

/** RSV, FRAG, ATYP, an address of IPv4, a port (RFC 1928 section 7). */
const HEADER_BYTES = 10;
/** One datagram each: some are lost with their carrier, as datagrams may be. */
const SEND_EVERY_MS = 20;

describe.each(edgeNames)("datagrams by the edge on %s", (name) => {
  const missing = name === "workerd" ? coturnMissing : undefined;

  it(`go on after each of ${programLosses} losses, from the same port`, async ({ skip }) => {
    if (missing !== undefined) skip(missing);
    const outbound = await outboundOf(name);
    const connectTimeoutMs = 10_000;
    const edge = await edges[name]({ access, allowPrivate: true, connectTimeoutMs, outbound });
    onTestFinished(() => edge.stop(0));
    const network = await startBrokenNetwork({ edgePort: edge.port, keyId, secret });
    const target = await openUdpPeer();
    onTestFinished(() => target.close());
    const seen = new Map<number, number>();
    const answers: number[] = [];
    void answerAll(target, seen);
    const client = await associate(network.agent.listen.port, target.address.port, (number) => {
      answers.push(number);
    });
    let number = 0;
    const timer = setInterval(() => client.send(++number), SEND_EVERY_MS);
    onTestFinished(() => clearInterval(timer));
    await answered(answers, 0);
    for (let i = 0; i < programLosses; i++) {
      await breakCarriers(network, i);
      // Only what was sent behind the loss proves that datagrams go on.
      await answered(answers, number);
    }
    expect(new Set(seen.values()).size).toBe(1);
    // Nothing is doubled, and nothing is answered that was not asked.
    expect(new Set(answers).size).toBe(answers.length);
    expect(Math.max(...answers)).toBeLessThanOrEqual(number);
  });
});

/** A Worker has UDP by a TURN server alone. */
async function outboundOf(name: EdgeName): Promise<Outbound> {
  if (name === "Node") return nodeOutbound;
  const coturn = await startCoturn();
  onTestFinished(() => coturn.stop());
  return { ...nodeOutbound, udp: "turn", turn: coturn.settings };
}

/** Notes which port each datagram came from, and sends it back. */
async function answerAll(
  target: Awaited<ReturnType<typeof openUdpPeer>>,
  seen: Map<number, number>,
): Promise<void> {
  for (;;) {
    const { bytes, from } = await target.next();
    seen.set(numberOf(bytes), from.port);
    await target.send(bytes, from.port);
  }
}

/** UDP ASSOCIATE; `heard` is told the number of each datagram that comes back. */
async function associate(
  proxyPort: number,
  targetPort: number,
  heard: (number: number) => void,
): Promise<{ send(number: number): void }> {
  const control = connect(proxyPort, "127.0.0.1");
  onTestFinished(() => void control.destroy());
  await once(control, "connect");
  control.write(Uint8Array.of(5, 1, 0));
  await readExactly(control, 2);
  control.write(Uint8Array.of(5, 3, 0, 1, 0, 0, 0, 0, 0, 0));
  const reply = await readExactly(control, HEADER_BYTES);
  expect(reply[1]).toBe(0);
  const relayPort = Buffer.from(reply).readUInt16BE(8);
  const socket = createSocket("udp4");
  onTestFinished(() => void socket.close());
  socket.on("message", (bytes) => heard(numberOf(bytes.subarray(HEADER_BYTES))));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const header = Uint8Array.of(0, 0, 0, 1, 127, 0, 0, 1, targetPort >> 8, targetPort & 0xff);
  return {
    send: (number) => {
      const payload = Buffer.alloc(1000, number % 256);
      payload.writeUInt32BE(number);
      socket.send(Buffer.concat([header, payload]), relayPort, "127.0.0.1");
    },
  };
}

function numberOf(bytes: Uint8Array): number {
  return Buffer.from(bytes).readUInt32BE();
}

/** Waits until a datagram has come back that was sent behind this one. */
async function answered(answers: readonly number[], after: number): Promise<void> {
  while (!answers.some((number) => number > after)) {
    await new Promise((resolve) => setTimeout(resolve, SEND_EVERY_MS));
  }
}
