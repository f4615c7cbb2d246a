import { Bridge, type BridgeOptions } from "../../edge-worker/bridge.ts";
import { Tally } from "../../edge-worker/tally.ts";
import { parseAddress } from "../../protocol/address.ts";
import type { Hello } from "../../protocol/hello.ts";
import type { Policy } from "../../edge-worker/policy/policy.ts";
import type { Session } from "../../protocol/session.ts";
import { Command } from "../../protocol/wire.ts";
import { type AgentEnd, connectAgent } from "./agent-end.ts";
import { accountOf } from "./account.ts";
import { FakeClock } from "./fake-clock.ts";
import { type FakeDial, FakeEgress } from "./fake-egress.ts";
import { recordedLog } from "./log.ts";
import { helloWith } from "./session-pair.ts";

/** What the streams of these bridges are opened to. */
export const target = parseAddress("example.com", 443);
const nothing = new Uint8Array();

/** How a bridge differs from what is usual; `policy` is that of its one user. */
export interface BridgeChanges extends Partial<BridgeOptions> {
  readonly clock?: FakeClock;
  readonly policy?: Policy;
}

const allowAll: Policy = () => undefined;

/** A bridge to an internet that is only what the test says. */
export function createBridge({ policy = allowAll, ...options }: BridgeChanges = {}) {
  const clock = options.clock ?? new FakeClock();
  const egress = new FakeEgress();
  const log = recordedLog();
  const tally = new Tally();
  const bridge = new Bridge({
    clock,
    log,
    tally,
    egress,
    users: {
      find: (user) => ({
        account: accountOf({ user, clock }),
        expiresAt: Infinity,
        policyFor: () => policy,
      }),
    },
    connectTimeoutMs: 15_000,
    resumeMemory: 1_000_000,
    hello: helloWith({ maxCarriers: 2, runtime: "fake" }),
    ...options,
  });
  return { bridge, clock, egress, log, tally };
}

/** A bridge that agents connect to by `connect()`. */
export function connectable(options: BridgeChanges = {}) {
  const parts = createBridge(options);
  const connect = async (
    hello: Partial<Hello> = {},
    joined?: Session,
    user?: string,
  ): Promise<AgentEnd> => {
    const end = connectAgent(parts.clock, parts.bridge, hello, joined, user);
    await parts.clock.run();
    return end;
  };
  return { ...parts, connect };
}

/** A bridge with one agent, greeted. */
export async function greetedBridge(options: BridgeChanges = {}) {
  const parts = connectable(options);
  const agent = await parts.connect();
  const { session } = agent;
  if (!session) throw new Error("The bridge has not greeted its agent");
  return { ...parts, agent, session };
}

/** A bridge that dials for its agent's only stream. */
export async function diallingBridge(early = nothing, options: BridgeChanges = {}) {
  const parts = await greetedBridge(options);
  const { stream } = parts.session.open(Command.Connect, target, early);
  const seen: { answer?: unknown } = {};
  void stream.answer().then(
    (bound) => (seen.answer = bound),
    (error: unknown) => (seen.answer = error),
  );
  await parts.clock.run();
  const dial = parts.egress.dials[0] as FakeDial;
  return { ...parts, stream, dial, seen };
}
