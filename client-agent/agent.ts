import type { Clock } from "../protocol/clock.ts";
import { emptyHello, type Hello } from "../protocol/hello.ts";
import type { Log } from "../protocol/log.ts";
import { type Dial, Uplink } from "../protocol/uplink.ts";
import { type Isolation, Uplinks } from "./carriers/uplinks.ts";
import type { FragmentLimits } from "./listeners/fragments.ts";
import { FrontDoor } from "./listeners/front-door.ts";
import { Gate, type GateSettings } from "./listeners/gate.ts";
import { Gateway, type OpenMode } from "./listeners/gateway.ts";
import type { OpenUdp } from "./listeners/udp-relay.ts";
import type { Users } from "./listeners/users.ts";
import { Metrics } from "./observe/metrics.ts";

/** How much of UDP may wait. */
export interface AgentUdp {
  readonly fragmentLimits: FragmentLimits;
  /** Bytes of datagrams that may wait for the edge, of all associations. */
  readonly uplinkBytes: number;
}

export interface AgentOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly dial: Dial;
  /** The edge as people know it, for the log. */
  readonly edge: string;
  readonly users: Users;
  readonly handshakeTimeoutMs: number;
  readonly gate: GateSettings;
  readonly isolate: Isolation;
  readonly open: OpenMode;
  readonly openUdp: OpenUdp;
  readonly udp: AgentUdp;
}

/** An agent without its sockets: the platform's listeners feed `door`, its HTTP server `gateway`. */
export interface Agent {
  readonly door: FrontDoor;
  readonly gateway: Gateway;
  readonly uplinks: Uplinks;
  readonly metrics: Metrics;
}

/** What an agent grants the edge; its memory is bounded by `sessionWindow`. */
const hello: Hello = {
  ...emptyHello,
  streamWindow: 262_144,
  sessionWindow: 67_108_864,
  carrierWindow: 1_048_576,
  // The edge says for how long it keeps a session.
  resumeWindow: 86_400,
};

/** Two, so that the streams of one that is lost go on at once on the other. */
const CARRIERS = 2;

export function createAgent(options: AgentOptions): Agent {
  const { clock, log, handshakeTimeoutMs, openUdp, udp, users } = options;
  const metrics = new Metrics();
  const uplinkOptions = {
    ...options,
    metrics,
    hello,
    carriers: CARRIERS,
    datagramBytes: udp.uplinkBytes,
  };
  const uplinks = new Uplinks(options.isolate, () => new Uplink(uplinkOptions));
  const gateway = new Gateway({
    clock,
    open: options.open,
    log,
    metrics,
    session: (user) => uplinks.session(user),
  });
  const gate = new Gate(options.gate);
  const door = new FrontDoor({
    gate,
    clock,
    log,
    metrics,
    users,
    handshakeTimeoutMs,
    gateway,
    openUdp,
    fragmentLimits: udp.fragmentLimits,
  });
  return { door, gateway, uplinks, metrics };
}
