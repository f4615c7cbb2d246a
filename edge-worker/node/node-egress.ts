import { lookup } from "node:dns";
import { connect, isIP, type LookupFunction, type Socket } from "node:net";
import { type Address, parseAddress, UNSPECIFIED } from "../../protocol/address.ts";
import { TcpChannel } from "../../protocol/node/tcp-channel.ts";
import type { Connection, Egress } from "../egress/egress.ts";
import type { Policy } from "../policy/policy.ts";
import { listenForPeer } from "./bind-listener.ts";
import { failureOf } from "./node-failure.ts";
import { resolveName, reverseAddress } from "./node-resolver.ts";
import { openAssociation } from "./udp-association.ts";

/**
 * All that Node can do: TCP, BIND, UDP and DNS by this machine. Names are resolved here, and only
 * addresses that passed the policy are sent anything.
 */
export const nodeEgress: Egress = {
  connect: dial,
  listen: listenForPeer,
  associate: openAssociation,
  resolve: resolveName,
  reverse: reverseAddress,
};

function dial(target: Address, policy: Policy, signal: AbortSignal): Promise<Connection> {
  return new Promise((resolve, reject) => {
    // With several addresses, Node races them as RFC 8305 section 5 has it (autoSelectFamily).
    const socket = connect({
      host: target.host,
      port: target.port,
      lookup: resolveWithin(policy),
      autoSelectFamily: true,
      allowHalfOpen: true,
      noDelay: true,
    });
    const cancel = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    const fail = (cause: Error): void => reject(failureOf("connect", cause));
    signal.addEventListener("abort", cancel);
    socket.once("error", fail);
    socket.once("connect", () => {
      signal.removeEventListener("abort", cancel);
      socket.off("error", fail);
      resolve({ channel: new TcpChannel(socket), bound: boundOf(socket) });
    });
  });
}

/** A resolver for net.connect() that leaves out every address the policy refuses. */
function resolveWithin(policy: Policy): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true, verbatim: true }, (error, found) => {
      if (error) return callback(error, []);
      const refusals: unknown[] = [];
      const allowed = found.filter(({ address }) => {
        try {
          // Port 0: the port passed when the policy was asked about the name.
          policy(parseAddress(address, 0));
          return true;
        } catch (refusal) {
          refusals.push(refusal);
          return false;
        }
      });
      const [refusal] = refusals;
      if (allowed.length === 0 && refusal instanceof Error) return callback(refusal, []);
      // Node calls for all addresses when it will race them, else for one.
      if (options.all) return callback(null, allowed);
      const [first] = allowed;
      callback(null, first?.address ?? "", first?.family);
    });
  };
}

function boundOf(socket: Socket): Address {
  const { localAddress, localPort } = socket;
  if (localAddress === undefined || localPort === undefined) return UNSPECIFIED;
  return isIP(localAddress) === 0 ? UNSPECIFIED : parseAddress(localAddress, localPort);
}
