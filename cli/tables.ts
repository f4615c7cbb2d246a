import * as v from "valibot";
import { asInWrangler, deployTable } from "./deploy/deploy-table.ts";
import { admin, door } from "./edge-door.ts";
import type { Setting, SettingsTable } from "./settings.ts";
import { upstreamsSchema } from "../edge-worker/egress/upstream/upstream-settings.ts";
import { rulesSchema } from "../edge-worker/users/access.ts";
import { usersSchema } from "../edge-worker/users/user.ts";
import {
  count,
  edgeUrls,
  endpoint,
  fileName,
  ranges,
  seconds,
  structured,
  toggle,
  users,
} from "./setting-types.ts";
import { udpModes } from "../edge-worker/egress/outbound.ts";
import { credential, dnsUrls, ipAddress, portRange, turnUrl } from "./outbound-types.ts";

const common = {
  "log-level": {
    schema: v.picklist(["debug", "info", "warn", "error"], "expected debug, info, warn or error"),
    value: "level",
    fallback: "info",
    help: "debug, info, warn or error",
  },
  "log-format": {
    schema: v.picklist(["text", "json"], "expected text or json"),
    value: "format",
    fallback: "text",
    help: "text for people, json for machines",
  },
} as const satisfies SettingsTable;

/** What every command has that serves, or replaces what does. */
const serving = {
  "drain-timeout": {
    schema: seconds(0, 300),
    value: "seconds",
    fallback: 3,
    help: "Seconds that open connections get to end, when a signal stops the command or deploy replaces the Worker",
  },
} as const satisfies SettingsTable;

const key = {
  secret: {
    schema: v.string("expected a text"),
    isSecret: true,
    group: "secret",
    help: "Secret shared by agent and edge, at least 16 characters",
  },
  "secret-file": {
    schema: fileName,
    value: "file",
    group: "secret",
    help: "File whose first line is the secret",
  },
  "key-id": {
    schema: v.pipe(
      v.string(),
      v.regex(/^[A-Za-z0-9_-]{1,32}$/, "expected 1 to 32 of A-Z a-z 0-9 _ -"),
    ),
    value: "id",
    fallback: "default",
    help: "Name of the secret, the same on both sides",
  },
} as const satisfies SettingsTable;

const keys = {
  schema: structured(usersSchema),
  isStructured: true,
  isSecret: true,
  help: "Several users, each with a secret, rules and limits of its own, instead of the one secret",
} as const satisfies Setting;
/** Any less and the largest datagram would never find room. */
const MIN_UDP_QUEUE = 66_000;

const clientPort = {
  schema: endpoint,
  value: "address",
  fallback: "127.0.0.1:1080",
  help: "Address of the port for SOCKS and HTTP clients",
} as const satisfies Setting;

const listener = {
  users: {
    schema: users,
    isSecret: true,
    help: "NAME:PASSWORD of those who may use the port; none: everybody who reaches it",
  },
  "handshake-timeout": {
    schema: seconds(1, 600),
    value: "seconds",
    fallback: 30,
    help: "Seconds a client may take for its handshake",
  },
} as const satisfies SettingsTable;

const access = {
  open: {
    schema: v.picklist(["honest", "adaptive", "fast"], "expected honest, adaptive or fast"),
    value: "mode",
    fallback: "honest",
    help: "When clients are told of success: once the target answers, at once where it did of late, or at once",
  },
  isolate: {
    schema: v.picklist(["none", "user"], "expected none or user"),
    value: "kind",
    fallback: "none",
    help: "user: connections of different users never share a session with the edge",
  },
  allow: {
    schema: ranges,
    value: "cidrs",
    help: "Address ranges that may use the port, such as 127.0.0.0/8 (default: all that reach it)",
  },
  "max-clients": {
    schema: count(1, 1_000_000),
    value: "n",
    fallback: 4096,
    help: "Clients served at once",
  },
  "max-clients-per-address": {
    schema: count(1, 1_000_000),
    value: "n",
    fallback: 4096,
    help: "Clients served at once from one IP address",
  },
  "max-handshakes": {
    schema: count(1, 1_000_000),
    value: "n",
    fallback: 4096,
    help: "Clients at their handshake at once; one more ends the one that has been at it longest",
  },
} as const satisfies SettingsTable;

const udp = {
  "udp-fragment-bytes": {
    schema: count(1, 65_536),
    value: "n",
    fallback: 65_536,
    help: "Bytes of fragments that one UDP association may gather for a datagram",
  },
  "udp-fragment-count": {
    // FRAG has seven bits for the position (RFC 1928 section 7).
    schema: count(1, 127),
    value: "n",
    fallback: 127,
    help: "Fragments that a datagram may have",
  },
  "udp-fragment-timeout": {
    schema: seconds(5, 600),
    value: "seconds",
    fallback: 5,
    help: "Seconds to wait for a datagram's last fragment, at least 5",
  },
  "udp-queue-bytes": {
    schema: count(MIN_UDP_QUEUE, 67_108_864),
    value: "n",
    fallback: 1_048_576,
    help: "Bytes of datagrams that may wait for the client of one UDP association",
  },
  "udp-uplink-bytes": {
    schema: count(2 * MIN_UDP_QUEUE, 67_108_864),
    value: "n",
    fallback: 524_288,
    help: "Bytes of datagrams that may wait for the edge; one UDP association gets at most half",
  },
} as const satisfies SettingsTable;

const dialling = {
  "connect-timeout": {
    schema: seconds(0.1, 120),
    value: "seconds",
    fallback: 15,
    help: "Seconds the edge waits for a target to answer",
  },
  "max-dials": {
    schema: count(1, 65_535),
    value: "n",
    fallback: 512,
    help: "Targets dialled at once; more wait for their turn",
  },
} as const satisfies SettingsTable;

const resuming = {
  "resume-window": {
    schema: count(0, 86_400),
    value: "seconds",
    fallback: 60,
    help: "Seconds the edge keeps connections whose agent has lost its way to it; 0: none",
  },
  "resume-memory": {
    schema: count(2, 64),
    value: "mib",
    fallback: 32,
    help: "MiB that such connections of one agent may hold",
  },
} as const satisfies SettingsTable;

const egress = {
  rules: {
    schema: structured(rulesSchema),
    fallback: [],
    isStructured: true,
    help: "What may be connected to: the first rule that fits decides",
  },
  upstreams: {
    schema: structured(upstreamsSchema),
    fallback: [],
    isStructured: true,
    isSecret: true,
    help: "Ways out behind the edge: proxies and other edges, and what goes there",
  },
} as const satisfies SettingsTable;

const outbound = {
  dns: {
    schema: dnsUrls,
    value: "urls",
    fallback: "system",
    help: "Who resolves names: system, or DNS over HTTPS at these URLs, asked in turn",
  },
  udp: {
    schema: v.picklist(udpModes, "expected native, dns, turn or off"),
    value: "mode",
    help: "How datagrams leave: native, turn, dns (port 53 only) or off (default: native on node, dns on workerd)",
  },
  "udp-idle-timeout": {
    schema: seconds(1, 3600),
    value: "seconds",
    fallback: 60,
    help: "Seconds after which a silent peer of a UDP association is forgotten",
  },
  "turn-url": {
    schema: turnUrl,
    value: "url",
    help: "With udp turn: the server, turn:HOST:PORT?transport=tcp or turns:HOST:PORT",
  },
  "turn-username": { schema: credential, value: "name", help: "User name at the TURN server" },
  "turn-password": { schema: credential, isSecret: true, help: "Password at the TURN server" },
  "bind-address": {
    schema: ipAddress,
    value: "ip",
    help: "On node: address that clients of BIND are told (default: the one towards the peer)",
  },
  "bind-ports": {
    schema: portRange,
    value: "range",
    help: "On node: ports that BIND listens on, such as 40000-40100 (default: any that is free)",
  },
} as const satisfies SettingsTable;

const runtime = v.picklist(["node", "workerd"], "expected node or workerd");

const agentEdge = {
  schema: edgeUrls,
  value: "urls",
  help: "The edge, wss://HOST/PATH; of several the nearest, or another while that is away",
} as const satisfies Setting;

const worker = {
  "allow-private": {
    schema: toggle,
    fallback: false,
    help: "Let private, loopback and other special-purpose targets through",
  },
  bridge: {
    schema: v.picklist(["durable", "stateless"], "expected durable or stateless"),
    value: "kind",
    fallback: "durable",
    help: "With --runtime workerd: what holds the connections",
  },
} as const satisfies SettingsTable;

/** The settings of each command. */
export const tables = {
  local: {
    listen: clientPort,
    admin: {
      schema: endpoint,
      value: "address",
      fallback: "127.0.0.1:1081",
      help: "Address of /healthz and /metrics",
    },
    "edge-listen": {
      schema: endpoint,
      value: "address",
      fallback: "127.0.0.1:8787",
      help: "Address of the embedded edge",
    },
    runtime: {
      schema: runtime,
      value: "name",
      help: "What runs the edge: workerd or node (default: workerd where it is installed)",
    },
    ...listener,
    ...access,
    ...udp,
    ...dialling,
    ...serving,
    ...outbound,
    ...resuming,
    ...common,
  },
  agent: {
    listen: clientPort,
    admin,
    "reuse-port": {
      schema: toggle,
      fallback: false,
      help: "Share the port with another agent that does so, which then can take it over (Linux)",
    },
    edge: agentEdge,
    "fallback-edge": {
      schema: edgeUrls,
      value: "urls",
      help: "Edges for what the first cannot do, such as a Node edge behind a Worker",
    },
    ...key,
    ...listener,
    ...access,
    ...udp,
    ...serving,
    ...common,
  },
  edge: {
    ...door,
    "allow-private": worker["allow-private"],
    runtime: { schema: runtime, value: "name", fallback: "node", help: "node or workerd" },
    bridge: worker.bridge,
    ...key,
    keys,
    "state-dir": {
      schema: fileName,
      value: "folder",
      help: "Folder that keeps what users have used up of their limits (default: forgotten at the end)",
    },
    ...egress,
    ...dialling,
    ...serving,
    ...outbound,
    ...resuming,
    ...common,
  },
  deploy: {
    ...deployTable,
    ...serving,
    bridge: asInWrangler(worker.bridge, "What holds the connections: durable or stateless"),
    "allow-private": asInWrangler(worker["allow-private"]),
    "connect-timeout": asInWrangler(dialling["connect-timeout"]),
    ...key,
    "key-id": asInWrangler(key["key-id"]),
    keys,
    rules: asInWrangler(egress.rules),
    upstreams: asInWrangler(egress.upstreams),
    ...common,
  },
  init: {
    edge: agentEdge,
    "key-id": key["key-id"],
    force: {
      schema: toggle,
      fallback: false,
      isFlagOnly: true,
      help: "Replace the file where there is one, and the secret in it",
    },
    print: {
      schema: toggle,
      fallback: false,
      isFlagOnly: true,
      help: "Write to stdout instead of a file",
    },
  },
} as const satisfies Readonly<Record<string, SettingsTable>>;
