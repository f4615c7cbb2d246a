import { onTestFinished } from "vitest";
import { type RunningAgent, serveAgent } from "../../client-agent/node/serve-agent.ts";
import { Admission } from "../../protocol/admission.ts";
import { type ChaosRelay, type Fault, startChaosRelay } from "./chaos-relay.ts";
import { type RecordedLog, recordedLog } from "./log.ts";
import { openGate } from "./open-gate.ts";
import { udpSettings } from "./udp-settings.ts";

/** An agent that has its edge behind a network that breaks, for the running test only. */
export interface BrokenNetwork {
  readonly relay: ChaosRelay;
  readonly agent: RunningAgent;
  /** What the agent logs. */
  readonly log: RecordedLog;
}

export interface BrokenNetworkOptions {
  readonly edgePort: number;
  readonly keyId: string;
  readonly secret: string;
  /** Told of each chunk that goes through. */
  readonly passed?: (relay: ChaosRelay) => void;
}

export async function startBrokenNetwork(options: BrokenNetworkOptions): Promise<BrokenNetwork> {
  const { edgePort, keyId, secret, passed = () => {} } = options;
  const relay = await startChaosRelay(edgePort, passed);
  onTestFinished(() => relay.close());
  const log = recordedLog();
  const agent = await serveAgent({
    listen: { host: "127.0.0.1", port: 0 },
    edges: [new URL(`ws://127.0.0.1:${relay.port}/`)],
    admission: new Admission(keyId, secret),
    users: new Map(),
    handshakeTimeoutMs: 60_000,
    gate: openGate,
    isolate: "none",
    open: "honest",
    udp: udpSettings,
    log,
  });
  onTestFinished(() => agent.stop(0));
  return { relay, agent, log };
}

/** A black hole costs seconds, so there are few. */
const LOSSES: readonly Fault[] = [
  "reset",
  "end",
  "black hole",
  "reset",
  "end",
  "end",
  "black hole",
  "reset",
  "reset",
  "end",
];

/** What happens at the loss of this number. */
export function faultAt(index: number): Fault {
  return LOSSES[index % LOSSES.length] ?? "reset";
}

/** Breaks the carrier that is in use, and every other time all others with it; waits until there is one. */
export async function breakCarriers({ relay }: BrokenNetwork, index: number): Promise<void> {
  const fault = faultAt(index);
  while (!relay.strikeLatest(fault)) await new Promise((resolve) => setTimeout(resolve, 10));
  if (index % 2 === 0) while (relay.strike(fault, 0));
}
