import type { Admission } from "../../protocol/admission.ts";
import type { Log } from "../../protocol/log.ts";
import { type AdminServer, serveAdmin } from "../../protocol/node/admin-server.ts";
import { createDial } from "../../protocol/node/dial-carrier.ts";
import { nodeClock } from "../../protocol/node/node-clock.ts";
import { type AgentUdp, createAgent, type EdgePlace } from "../agent.ts";
import type { Isolation } from "../carriers/uplinks.ts";
import type { OpenMode } from "../listeners/gateway.ts";
import type { GateSettings } from "../listeners/gate.ts";
import { createUsers } from "../listeners/users.ts";
import { checkDescriptorLimit } from "./descriptor-limit.ts";
import { hashPasswords, type Password } from "./hash-passwords.ts";
import { HttpProxy } from "./http-proxy.ts";
import { listen } from "./listen.ts";
import { watchNetwork } from "./network-watch.ts";
import { createPasswordCrypto } from "./password-crypto.ts";
import { createOpenUdp } from "./udp-socket.ts";

/** Where to listen. Port 0 takes any free port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** How much of UDP may wait, beside what AgentUdp says. */
export interface UdpSettings extends AgentUdp {
  /** Bytes of datagrams that may wait for the client of one association. */
  readonly queueBytes: number;
}

export interface NodeAgentOptions {
  readonly listen: Endpoint;
  readonly admin?: Endpoint;
  /** Whether other agents of this user may listen at the same places. */
  readonly isPortShared?: boolean;
  /** One or several, of which one is used at a time. */
  readonly edges: readonly [URL, ...URL[]];
  /** For what those cannot do, if there are any. */
  readonly fallbackEdges?: readonly URL[];
  readonly admission: Admission;
  /** Name to password; empty when everybody who reaches the port may use it. */
  readonly users: ReadonlyMap<string, Password>;
  readonly handshakeTimeoutMs: number;
  readonly gate: GateSettings;
  readonly udp: UdpSettings;
  readonly isolate: Isolation;
  readonly open: OpenMode;
  readonly log: Log;
}

export interface RunningAgent {
  readonly listen: Endpoint;
  readonly admin: Endpoint | undefined;
  /** Takes no new clients, waits up to `drainMs` for the open ones, then ends them. */
  stop(drainMs: number): Promise<void>;
}

const DRAIN_POLL_MS = 50;

/** Starts the agent on Node. @throws the listeners' own errors (EADDRINUSE, EACCES ...) */
export async function serveAgent(options: NodeAgentOptions): Promise<RunningAgent> {
  // No function below may use `options` as such: it would keep the plain passwords in memory.
  const { admission, handshakeTimeoutMs } = options;
  checkDescriptorLimit(options.gate, options.log);
  const users = createUsers(await hashPasswords(options.users), createPasswordCrypto());
  const placeOf = (url: URL): EdgePlace => ({
    name: url.href,
    dial: createDial(url, admission),
  });
  const [first, ...others] = options.edges;
  const { door, gateway, uplinks, metrics } = createAgent({
    clock: nodeClock,
    log: options.log,
    random: Math.random,
    edges: [placeOf(first), ...others.map(placeOf)],
    fallbackEdges: options.fallbackEdges?.map(placeOf) ?? [],
    users,
    handshakeTimeoutMs,
    gate: options.gate,
    isolate: options.isolate,
    open: options.open,
    openUdp: createOpenUdp(options.udp.queueBytes),
    udp: options.udp,
  });
  const proxy = new HttpProxy({ clock: nodeClock, gateway, users, handshakeTimeoutMs });
  const { host, port } = options.listen;
  const socks = await listen(
    host,
    port,
    (client) =>
      door.serve(client, { serve: (unread, enter) => proxy.serve(client, unread, enter) }),
    options.isPortShared,
  );
  const admin = await serveAdminBeside(socks, options, metrics);
  const running = Promise.all(uplinks.map((each) => each.run()));
  const unwatch = watchNetwork(nodeClock, (hasSlept) => {
    for (const each of uplinks) each.networkChanged(hasSlept);
  });
  const stop = async (drainMs: number): Promise<void> => {
    socks.close();
    proxy.close();
    admin?.close();
    const deadline = nodeClock.now() + drainMs;
    while (socks.count > 0 && nodeClock.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    unwatch();
    for (const each of uplinks) each.stop();
    socks.destroy();
    await running;
  };
  return { listen: socks, admin, stop };
}

async function serveAdminBeside(
  socks: { destroy(): void },
  { admin, isPortShared }: NodeAgentOptions,
  metrics: Parameters<typeof serveAdmin>[2],
): Promise<AdminServer | undefined> {
  if (!admin) return undefined;
  try {
    return await serveAdmin(admin.host, admin.port, metrics, isPortShared);
  } catch (error) {
    // Nothing may stay open when the start fails.
    socks.destroy();
    throw error;
  }
}
