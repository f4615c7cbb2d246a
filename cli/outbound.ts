import type { Outbound } from "../edge-worker/egress/outbound.ts";
import type { TurnSettings } from "../edge-worker/egress/turn/turn-server.ts";
import { ConfigError } from "../protocol/errors.ts";
import type { SettingsOf } from "./settings.ts";
import type { tables } from "./tables.ts";

type OutboundSettings = Pick<
  SettingsOf<(typeof tables)["edge"]>,
  | "dns"
  | "udp"
  | "udp-idle-timeout"
  | "turn-url"
  | "turn-username"
  | "turn-password"
  | "bind-address"
  | "bind-ports"
>;

/** What the settings say about the ways out of an edge on `runtime`. @throws ConfigError */
export function outboundOf(settings: OutboundSettings, runtime: "node" | "workerd"): Outbound {
  const udp = settings.udp ?? (runtime === "node" ? "native" : "dns");
  if (udp === "native" && runtime === "workerd") {
    throw new ConfigError(
      "Cannot use udp = native on workerd: use dns, turn or off, or run on node",
    );
  }
  const host = settings["bind-address"];
  const ports = settings["bind-ports"];
  if (runtime === "workerd" && (host || ports)) {
    throw new ConfigError(
      "Cannot use bind-address or bind-ports on workerd: its TURN server listens",
    );
  }
  return {
    dnsUrls: settings.dns,
    udp,
    udpIdleTimeoutMs: settings["udp-idle-timeout"],
    turn: udp === "turn" ? turnOf(settings) : undefined,
    bind: { host, ports },
  };
}

function turnOf(settings: OutboundSettings): TurnSettings {
  const url = settings["turn-url"];
  const username = settings["turn-username"];
  const password = settings["turn-password"];
  if (url && username !== undefined && password !== undefined) return { url, username, password };
  throw new ConfigError(
    "Cannot use udp = turn: turn-url, turn-username or turn-password is not set",
  );
}
