import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { startBrokenNetwork } from "../support/broken-network.ts";
import { type ChaosRelay, type Fault, faults } from "../support/chaos-relay.ts";
import { socksConnect } from "../support/socks-client.ts";
import { startTarget } from "../support/target.ts";
import { access, type EdgeName, edges, keyId, secret } from "./edges.ts";
import { randomBytesOf, randomNumbers } from "./random-numbers.ts";
import { losses, MEGABYTE, megabytes, seed } from "./settings.ts";

const STREAMS = 8;
const EACH_WAY = Math.ceil((megabytes * MEGABYTE) / STREAMS / 2);
const ALL = EACH_WAY * STREAMS * 2;
/** The last loss comes while there is still something to lose. */
const LAST = 0.97;
const PARTS = 4;
/** That a carrier may still carry when it has been struck. */
const MOST_BYTES_AFTER = 131_072;

/** What no loss of carriers may change, whatever the edge runs on. */
export function describeLosses(name: EdgeName): void {
  describe(`edge on ${name}`, () => {
    it(`carries ${megabytes} MB in ${STREAMS} streams over ${losses} losses (CHAOS_SEED=${seed})`, async () => {
      const edge = await edges[name]({ access, allowPrivate: true, connectTimeoutMs: 10_000 });
      onTestFinished(() => edge.stop(0));
      const plan = new Plan(randomNumbers(seed));
      const { agent, relay, log } = await startBrokenNetwork({
        edgePort: edge.port,
        keyId,
        secret,
        passed: (each) => plan.passed(each),
      });
      const trips = await Promise.all(
        Array.from({ length: STREAMS }, (_, index) =>
          carry(agent.listen.port, index, (bytes) => (plan.delivered += bytes)),
        ),
      );
      for (const { sent, received } of trips) expect(received).toEqual(sent);
      expect(plan.delivered).toBe(ALL);
      expect(relay.totals.losses).toBe(losses);
      expect(plan.kinds).toEqual(new Set(KINDS.slice(0, losses)));
      // Each part of the transfer has had its share.
      const shares = Array.from({ length: PARTS }, (_, part) =>
        plan.lossesBetween(part / PARTS, (part + 1) / PARTS),
      );
      for (const share of shares) expect(share).toBeGreaterThan(0);
      expect(log.lines.filter((line) => line.includes("session with"))).toEqual([]);
    });
  });
}

interface Strike {
  /** Bytes that have been delivered by then. */
  readonly at: number;
  readonly fault: Fault;
  readonly choice: number;
  readonly afterBytes: number;
  readonly delayChoice: number;
}

/** When it strikes what: at random moments, spread over the transfer by the bytes that have come. */
class Plan {
  /** Bytes that clients and targets have received. */
  delivered = 0;
  readonly #strikes: readonly Strike[];
  readonly #struckAt: number[] = [];
  readonly kinds = new Set<Fault>();

  constructor(random: () => number) {
    this.#strikes = Array.from({ length: losses }, (_, i) => ({
      at: ((i + random()) / losses) * ALL * LAST,
      fault: KINDS[i % KINDS.length] ?? "reset",
      choice: random(),
      // Small ones as often as large ones: it may come in a header, or far behind it.
      afterBytes: Math.ceil(MOST_BYTES_AFTER ** random()),
      delayChoice: random(),
    }));
  }

  /** Strikes when it is time. */
  passed(relay: ChaosRelay): void {
    const next = this.#strikes[this.#struckAt.length];
    if (!next || this.delivered < next.at) return;
    if (!relay.strike(next.fault, next.choice, next.afterBytes)) return;
    this.#struckAt.push(this.delivered);
    this.kinds.add(next.fault);
    relay.strike("delay", next.delayChoice);
  }

  lossesBetween(from: number, to: number): number {
    return this.#struckAt.filter((at) => at >= from * ALL && at < to * ALL).length;
  }
}

/** Every kind comes up; holes cost seconds, so there are few. */
const KINDS: readonly Fault[] = [
  ...faults.filter((fault) => fault !== "delay"),
  "reset",
  "cut in mid-message",
  "end",
  "cut in mid-message",
  "reset",
  "end",
];

/** Sends bytes both ways at once through the agent to a target; the hashes of all four ends. */
async function carry(proxyPort: number, index: number, delivered: (bytes: number) => void) {
  const atTarget = Promise.withResolvers<[string, string]>();
  const target = await startTarget((socket) => {
    void exchange(socket, index * 2 + 1, delivered).then(atTarget.resolve, atTarget.reject);
  });
  const { socket, rep } = await socksConnect(proxyPort, "127.0.0.1", target.port);
  expect(rep).toBe(0);
  const [sentUp, gotDown] = await exchange(socket, index * 2, delivered);
  const [sentDown, gotUp] = await atTarget.promise;
  socket.destroy();
  await target.close();
  return { sent: [sentUp, sentDown], received: [gotUp, gotDown] };
}

/** Writes its bytes and ends, reads to the end; returns the SHA-256 of what was sent and of what came. */
async function exchange(
  socket: Socket,
  fill: number,
  delivered: (bytes: number) => void,
): Promise<[string, string]> {
  const reading = (async () => {
    const hash = createHash("sha256");
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      delivered(chunk.length);
      hash.update(chunk);
    }
    return hash.digest("hex");
  })();
  return [await pour(socket, fill), await reading];
}

/** Random bytes from changing places, so that a swapped, doubled or missing piece shows. */
async function pour(socket: Socket, fill: number): Promise<string> {
  const hash = createHash("sha256");
  const random = randomNumbers(seed + fill);
  for (let left = EACH_WAY; left > 0;) {
    const at = Math.floor(random() * (POOL.length - CHUNK));
    const chunk = POOL.subarray(at, at + Math.min(left, CHUNK));
    hash.update(chunk);
    left -= chunk.length;
    if (!socket.write(chunk)) await once(socket, "drain");
  }
  socket.end();
  return hash.digest("hex");
}

const CHUNK = 65_537;
const POOL = randomBytesOf(randomNumbers(seed), 4 * MEGABYTE);
