import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { serveAgent } from "../../client-agent/node/serve-agent.ts";
import type { StartEdge } from "../contract/edge.ts";
import { Admission } from "../../protocol/admission.ts";
import { type ChaosRelay, type Fault, faults, startChaosRelay } from "../support/chaos-relay.ts";
import { recordedLog } from "../support/log.ts";
import { openGate } from "../support/open-gate.ts";
import { socksConnect } from "../support/socks-client.ts";
import { startTarget } from "../support/target.ts";
import { udpSettings } from "../support/udp-settings.ts";
import { randomNumbers } from "./random-numbers.ts";

const MEGABYTE = 1_048_576;
const STREAMS = 8;
const seed = Number(process.env["CHAOS_SEED"] ?? Date.now() % 1_000_000);
/** All streams together, up and down. */
const megabytes = Number(process.env["CHAOS_MEGABYTES"] ?? 96);
const losses = Number(process.env["CHAOS_LOSSES"] ?? 20);

const keyId = "chaos";
const secret = "a secret that is long enough";

/** What no loss of carriers may change, whatever the edge runs on. */
export function describeLosses(name: string, start: StartEdge): void {
  describe(name, () => {
    it(`carries ${megabytes} MB in ${STREAMS} streams over ${losses} losses (CHAOS_SEED=${seed})`, async () => {
      const edge = await start({
        access: { keys: [{ id: keyId, secret }], rules: [] },
        allowPrivate: true,
        connectTimeoutMs: 10_000,
      });
      const strikes = planOf(randomNumbers(seed));
      const relay = await startChaosRelay(edge.port, (each) => strikes(each));
      const log = recordedLog();
      const agent = await serveAgent({
        listen: { host: "127.0.0.1", port: 0 },
        edges: [new URL(`ws://127.0.0.1:${relay.port}/`)],
        admission: new Admission(keyId, secret),
        users: new Map<string, string>(),
        handshakeTimeoutMs: 60_000,
        gate: openGate,
        isolate: "none",
        open: "honest",
        udp: udpSettings,
        log,
      });
      const bytes = Math.ceil((megabytes * MEGABYTE) / STREAMS / 2);
      const trips = await Promise.all(
        Array.from({ length: STREAMS }, (_, index) => carry(agent.listen.port, index, bytes)),
      );
      for (const { sent, received } of trips) expect(received).toEqual(sent);
      expect(relay.totals.losses).toBeGreaterThanOrEqual(losses);
      expect(log.lines.filter((line) => line.includes("session with"))).toEqual([]);
      await agent.stop(0);
      await relay.close();
      await edge.stop(0);
    });
  });
}

/** Strikes each time that so many bytes have passed, at numbers made from the seed. */
function planOf(random: () => number): (relay: ChaosRelay) => void {
  const all = megabytes * MEGABYTE * 0.9;
  const plan = Array.from({ length: losses }, () => ({ at: random() * all, choice: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map((strike, index): typeof strike & { fault: Fault } => ({
      ...strike,
      // Every kind comes up; black holes cost seconds, so there are few.
      fault: KINDS[index % KINDS.length] ?? "reset",
    }));
  let next = 0;
  return (relay) => {
    const strike = plan[next];
    if (!strike || relay.totals.bytes < strike.at) return;
    if (!relay.strike(strike.fault, strike.choice)) return;
    next++;
    relay.strike("delay", random());
  };
}

const KINDS: readonly Fault[] = [
  ...faults.filter((fault) => fault !== "delay" && fault !== "black hole"),
  "reset",
  "cut in mid-message",
  "end",
  "reset",
  "black hole",
  "end",
];

/** Sends `bytes` both ways at once through the agent to a target; the hashes of all four ends. */
async function carry(proxyPort: number, index: number, bytes: number) {
  const atTarget = Promise.withResolvers<[string, string]>();
  const target = await startTarget((socket) => {
    void exchange(socket, index * 2 + 1, bytes).then(atTarget.resolve, atTarget.reject);
  });
  const { socket, rep } = await socksConnect(proxyPort, "127.0.0.1", target.port);
  expect(rep).toBe(0);
  const [sentUp, gotDown] = await exchange(socket, index * 2, bytes);
  const [sentDown, gotUp] = await atTarget.promise;
  socket.destroy();
  await target.close();
  return { sent: [sentUp, sentDown], received: [gotUp, gotDown] };
}

/** Writes `bytes` and ends, reads to the end; returns the SHA-256 of what was sent and of what came. */
async function exchange(socket: Socket, fill: number, bytes: number): Promise<[string, string]> {
  const reading = (async () => {
    const hash = createHash("sha256");
    for await (const chunk of socket) hash.update(chunk as Buffer);
    return hash.digest("hex");
  })();
  return [await pour(socket, fill, bytes), await reading];
}

/** Bytes that never repeat at a frame's length, so that a swapped or doubled piece shows. */
async function pour(socket: Socket, fill: number, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  const random = randomNumbers(seed + fill);
  for (let left = bytes; left > 0;) {
    const chunk = Buffer.alloc(Math.min(left, 65_537), Math.floor(random() * 256));
    chunk.writeUInt32BE(left % 0x1_0000_0000, 0);
    hash.update(chunk);
    left -= chunk.length;
    if (!socket.write(chunk)) await once(socket, "drain");
  }
  socket.end();
  return hash.digest("hex");
}
