import type { Clock } from "../protocol/clock.ts";
import { emptyHello, type Hello } from "../protocol/hello.ts";
import type { Log } from "../protocol/log.ts";
import type { PoolSize } from "../protocol/pool.ts";
import { type Dial, Uplink } from "../protocol/uplink.ts";
import { Edges } from "./carriers/edges.ts";
import { type EdgeUplink, type Isolation, Uplinks } from "./carriers/uplinks.ts";
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

/** An edge, and how it is reached. */
export interface EdgePlace {
  /** As people know it, for the log. */
  readonly name: string;
  readonly dial: Dial;
}

export interface AgentOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** The edges that new streams may go by, one of them at a time. */
  readonly edges: readonly [EdgePlace, ...EdgePlace[]];
  /** Those for what the first cannot do, if there are any. */
  readonly fallbackEdges?: readonly EdgePlace[];
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
  /** Those to the edges, and those to the fallbacks where there are any. */
  readonly uplinks: readonly Uplinks[];
  readonly metrics: Metrics;
}

/** What an agent grants the edge; its memory is bounded by `sessionWindow`. */
const hello: Hello = {
  ...emptyHello,
  streamWindow: 163_840,
  sessionWindow: 67_108_864,
  carrierWindow: 16_777_216,
  // The edge says for how long it keeps a session.
  resumeWindow: 86_400,
};

/** What the agent keeps, to send it again: more than any edge lets it have in flight. */
const RESUME_MEMORY = 67_108_864;
/** Two at least, so that the streams of one that is lost go on at once on the other. */
const CARRIERS: PoolSize = { least: 2, most: 8 };
/** An edge that only stands by needs no more to be known as there. */
const STANDBY_CARRIERS: PoolSize = { least: 1, most: 1 };

export function createAgent(options: AgentOptions): Agent {
  const {
    clock,
    log,
    handshakeTimeoutMs,
    openUdp,
    udp,
    users,
    edges,
    fallbackEdges = [],
  } = options;
  const metrics = new Metrics();
  const uplinksTo = (places: readonly EdgePlace[]): Uplinks =>
    new Uplinks(options.isolate, () => createUplink(options, metrics, places));
  const first = uplinksTo(edges);
  const fallback = fallbackEdges.length > 0 ? uplinksTo(fallbackEdges) : undefined;
  const gateway = new Gateway({
    clock,
    open: options.open,
    log,
    metrics,
    session: (user) => first.session(user),
    fallback: fallback && ((user) => fallback.session(user)),
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
  const uplinks = fallback ? [first, fallback] : [first];
  return { door, gateway, uplinks, metrics };
}

/** The way to one edge, or to several of which one is used at a time. */
function createUplink(
  { clock, log, random, udp }: AgentOptions,
  metrics: Metrics,
  places: readonly EdgePlace[],
): EdgeUplink {
  const [only, ...others] = places;
  const uplinkTo = (
    place: EdgePlace,
    carriers: PoolSize,
    edgeUp: (isUp: boolean) => void,
  ): Uplink =>
    new Uplink({
      clock,
      log,
      random,
      metrics: {
        edgeUp: (isUp) => {
          metrics.edgeUp(isUp);
          edgeUp(isUp);
        },
        carrierFailed: (error) => metrics.carrierFailed(error),
      },
      dial: place.dial,
      edge: place.name,
      hello,
      resumeMemory: RESUME_MEMORY,
      carriers,
      datagramBytes: udp.uplinkBytes,
    });
  if (only && others.length === 0) return uplinkTo(only, CARRIERS, () => {});
  return new Edges({
    clock,
    log,
    edges: places,
    carriers: { active: CARRIERS, standby: STANDBY_CARRIERS },
    create: uplinkTo,
  });
}
