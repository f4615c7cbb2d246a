import { randomUUID } from "node:crypto";
import { makeCertificates } from "../certificates.ts";
import {
  BULK_TOPICS,
  GROWTH_TOPICS,
  LINK_TOPICS,
  LOOPBACK_TOPICS,
  type Topic,
} from "../measure/topics.ts";
import { freePort } from "../ports.ts";
import { firstLine, missingProgram, type Program, requireProgram } from "../programs.ts";
import type { Worker, Workshop } from "../workshop.ts";
import type { Subject } from "./subject.ts";

const V2RAY = { command: "v2ray", debianPackage: "v2ray" };
const OPENSSL = { command: "openssl", debianPackage: "openssl" };

/** How two v2rays are joined. */
type Tunnel = Readonly<{
  topics: readonly Topic[];
  isMultiplexed?: boolean;
  isEncrypted?: boolean;
}>;

/** VLESS in a WebSocket per session, v2ray's nearest relative of this project. */
export const v2rayWs = v2ray("v2ray-ws", "VLESS over WebSocket, a WebSocket a session", {
  topics: [...LOOPBACK_TOPICS, "still", "udp", ...LINK_TOPICS, ...GROWTH_TOPICS],
});

/** The same with v2ray's own multiplexer, at its default of 8 sessions a WebSocket. */
export const v2rayWsMux = v2ray("v2ray-ws-mux", "the same with 8 sessions a WebSocket", {
  topics: [...LOOPBACK_TOPICS, "still", ...LINK_TOPICS],
  isMultiplexed: true,
});

/** The same with TLS between the two. */
export const v2rayWsTls = v2ray("v2ray-ws-tls", "v2ray-ws over wss://", {
  topics: [...BULK_TOPICS, "sessions"],
  isEncrypted: true,
});

function v2ray(name: string, about: string, tunnel: Tunnel): Subject {
  const programs: Program[] = tunnel.isEncrypted ? [V2RAY, OPENSSL] : [V2RAY];
  return {
    name,
    about,
    topics: tunnel.topics,
    missing: () => missingProgram(programs),
    version: () => firstLine(V2RAY.command, ["-version"])?.split(" (")[0] ?? "unknown",
    async start(workshop, reach) {
      const user = randomUUID();
      const [proxyPort, serverPort] = [await freePort(), await freePort()];
      const certificates = tunnel.isEncrypted ? makeCertificates(workshop) : undefined;
      const tls = certificates && {
        serverName: "localhost",
        certificates: [certificates.server, { ...certificates.authority, usage: "verify" }],
      };
      const stream = {
        network: "ws",
        wsSettings: { path: "/tunnel" },
        ...(tls && { security: "tls", tlsSettings: tls }),
      };
      const server = run(workshop, "v2ray-server", serverConfig(serverPort, user, stream));
      await workshop.untilListening(server, serverPort);
      const mux = { enabled: tunnel.isMultiplexed ?? false };
      const config = clientConfig(proxyPort, await reach(serverPort), user, {
        streamSettings: stream,
        mux,
      });
      const client = run(workshop, "v2ray-client", config);
      await workshop.untilListening(client, proxyPort);
      return { proxyPort, clientPids: [client.pid], serverPids: [server.pid] };
    },
  };
}

function serverConfig(port: number, user: string, streamSettings: object): object {
  const settings = { clients: [{ id: user }], decryption: "none" };
  return {
    log: { loglevel: "warning", access: "none" },
    inbounds: [{ listen: "127.0.0.1", port, protocol: "vless", settings, streamSettings }],
    outbounds: [{ protocol: "freedom" }],
  };
}

function clientConfig(port: number, serverPort: number, user: string, tunnel: object): object {
  const users = [{ id: user, encryption: "none" }];
  const settings = { vnext: [{ address: "127.0.0.1", port: serverPort, users }] };
  const socks = { auth: "noauth", udp: true, ip: "127.0.0.1" };
  return {
    log: { loglevel: "warning", access: "none" },
    inbounds: [{ listen: "127.0.0.1", port, protocol: "socks", settings: socks }],
    outbounds: [{ protocol: "vless", settings, ...tunnel }],
  };
}

function run(workshop: Workshop, name: string, config: object): Worker {
  const path = workshop.write(`${name}.json`, JSON.stringify(config));
  return workshop.start(name, requireProgram(V2RAY), ["-config", path]);
}
