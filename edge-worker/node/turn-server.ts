import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { connect as connectByTls } from "node:tls";
import type { Address } from "../../protocol/address.ts";
import type { Clock } from "../../protocol/clock.ts";
import type { Log } from "../../protocol/log.ts";
import { readPlainly } from "../../protocol/node/socket-reader.ts";
import { TcpChannel } from "../../protocol/node/tcp-channel.ts";
import type { Egress } from "../egress/egress.ts";
import type { TurnServer, TurnSettings } from "../egress/turn/turn-server.ts";
import { failureOf } from "./node-failure.ts";

export interface TurnPlatform {
  readonly clock: Clock;
  readonly log: Log;
  readonly connect: Egress["connect"];
}

/** The TURN server of the settings. The operator has named it: no policy is asked. */
export function turnServerOf(settings: TurnSettings, platform: TurnPlatform): TurnServer {
  const { server, isSecure } = settings.url;
  const { connect } = platform;
  return {
    ...platform,
    username: settings.username,
    password: settings.password,
    md5: async (bytes) => Uint8Array.from(createHash("md5").update(bytes).digest()),
    dial: async (signal) => {
      if (isSecure) return dialByTls(server, signal);
      return (await connect(server, () => undefined, signal, settings)).channel;
    },
  };
}

/** The server's certificate is checked as that of an edge is. */
function dialByTls({ host, port }: Address, signal: AbortSignal): Promise<TcpChannel> {
  return new Promise((resolve, reject) => {
    // RFC 6066 section 3: no IP address as a server name.
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const options = { host, port, ...servername, allowHalfOpen: true };
    const socket = connectByTls(options);
    const cancel = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    const fail = (cause: Error): void => {
      signal.removeEventListener("abort", cancel);
      reject(failureOf("connect to the TURN server", cause));
    };
    signal.addEventListener("abort", cancel);
    socket.once("error", fail);
    socket.once("secureConnect", () => {
      signal.removeEventListener("abort", cancel);
      socket.off("error", fail);
      resolve(new TcpChannel(readPlainly(socket)));
    });
  });
}
