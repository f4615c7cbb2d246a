import type { Admission } from "../../../protocol/admission.ts";
import type { Address } from "../../../protocol/address.ts";
import type { Clock } from "../../../protocol/clock.ts";
import { emptyHello, type Hello } from "../../../protocol/hello.ts";
import type { Log } from "../../../protocol/log.ts";
import type { Dial } from "../../../protocol/uplink.ts";
import { edgeLimits, type Resumption } from "../../limits.ts";
import { fitOf, type Protocol } from "../../policy/rule.ts";
import type { Egress } from "../egress.ts";
import type { BlockedTargets } from "./blocked-targets.ts";
import { createEdgeEgress } from "./edge-egress.ts";
import { connectByHttp } from "./http-client.ts";
import { LazyUplink } from "./lazy-uplink.ts";
import { withPinnedNames } from "./pinned-names.ts";
import { createProxyEgress } from "./proxy-egress.ts";
import { createRoutedEgress } from "./routed-egress.ts";
import { connectBySocks5 } from "./socks5-client.ts";
import type { Upstream } from "./upstream.ts";
import type { UpstreamSettings } from "./upstream-settings.ts";
import type { UpstreamAddress } from "./upstream-url.ts";

/** What upstreams need of the platform. */
export interface UpstreamPlatform {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly direct: Egress;
  /** How another edge is dialled. */
  readonly dialEdge: (url: URL, admission: Admission) => Dial;
  /** What `direct` cannot connect to, where there is something of the kind. */
  readonly blocked?: BlockedTargets | undefined;
  readonly connectTimeoutMs: number;
  /** For how long, and in what memory, streams outlive the way to another edge. */
  readonly resumption: Resumption;
}

/** An egress, and what ends the sessions that it keeps. */
export interface Opened {
  readonly egress: Egress;
  readonly close: () => void;
}

/** The direct way and the upstreams of the settings. None is dialled before something goes there. */
export function createUpstreams(
  settings: readonly UpstreamSettings[],
  platform: UpstreamPlatform,
): Opened {
  const closers: (() => void)[] = [];
  const upstreams = settings.map((entry): Upstream => {
    const { egress, close } = open(entry.url, platform);
    closers.push(close);
    const resolving = entry.resolve ?? (entry.url.kind === "edge" ? "upstream" : "here");
    return {
      egress: withPinnedNames(egress, platform.direct.resolve, resolving),
      mode: entry.mode,
      isForBlocked: entry.for === "cloudflare",
      takes: (address, protocol, user) => isTaken(entry, address, protocol, user),
    };
  });
  return {
    egress: createRoutedEgress({ ...platform, blocked: platform.blocked, upstreams }),
    close: () => {
      for (const close of closers) close();
    },
  };
}

/** A name fits by its domain; that it has an address in a range is for others to find out. */
function isTaken(
  settings: UpstreamSettings,
  address: Address,
  protocol: Protocol,
  user: string,
): boolean {
  const fit = fitOf(settings, { user, protocol, address });
  return fit !== undefined && fit !== "open";
}

function open(upstream: UpstreamAddress, platform: UpstreamPlatform): Opened {
  if (upstream.kind === "edge") {
    const { url, admission } = upstream;
    const dial = platform.dialEdge(url, admission);
    const { resumeMemory, resumeWindow } = platform.resumption;
    const hello = helloFor(resumeWindow);
    const uplink = new LazyUplink({ ...platform, dial, hello, resumeMemory, edge: url.href });
    return { egress: createEdgeEgress(() => uplink.session()), close: () => uplink.close() };
  }
  const { kind, address, user } = upstream;
  const connect = kind === "socks5" ? connectBySocks5 : connectByHttp;
  const egress = createProxyEgress({
    direct: platform.direct,
    address,
    ask: (proxy, target) => connect(proxy, target, user),
  });
  return { egress, close: () => {} };
}

/** What this edge grants another one that is its upstream. */
function helloFor(resumeWindow: number): Hello {
  const { streamWindow, sessionWindow, carrierWindow } = edgeLimits;
  return { ...emptyHello, streamWindow, sessionWindow, carrierWindow, resumeWindow };
}
