import { lookup } from "node:dns";
import { connect, isIP, type LookupFunction, type Socket } from "node:net";
import { type Address, parseAddress, UNSPECIFIED } from "../../protocol/address.ts";
import { type FailureReason, messageOf, StreamError } from "../../protocol/errors.ts";
import { TcpChannel } from "../../protocol/node/tcp-channel.ts";
import type { Connection, Egress } from "../egress/egress.ts";
import type { Policy } from "../policy/policy.ts";

/** TCP by node:net. Names are resolved here, and only addresses that passed are dialled. */
export const nodeEgress: Egress = { connect: dial };

const reasonByErrno: Readonly<Record<string, FailureReason>> = {
  ECONNREFUSED: "connection-refused",
  EHOSTUNREACH: "host-unreachable",
  EHOSTDOWN: "host-unreachable",
  ENETUNREACH: "network-unreachable",
  EADDRNOTAVAIL: "network-unreachable",
  EAFNOSUPPORT: "network-unreachable",
  ETIMEDOUT: "timed-out",
  ENOTFOUND: "name-not-found",
  ENODATA: "name-not-found",
  // The resolver itself is out of reach, which says nothing about the name.
  EAI_AGAIN: "host-unreachable",
  ECONNRESET: "connection-reset",
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
    const fail = (cause: Error): void => reject(failureOf(cause));
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

function failureOf(cause: Error & { code?: string }): StreamError {
  if (cause instanceof StreamError) return cause;
  // Raced dials fail together; the first was the one that RFC 6724 prefers.
  const first: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
  const code = first instanceof Error && "code" in first ? String(first.code) : "";
  const reason = reasonByErrno[code] ?? "general";
  return new StreamError(reason, `Cannot connect: ${code === "" ? messageOf(cause) : code}`, {
    cause,
  });
}

function boundOf(socket: Socket): Address {
  const { localAddress, localPort } = socket;
  if (localAddress === undefined || localPort === undefined) return UNSPECIFIED;
  return isIP(localAddress) === 0 ? UNSPECIFIED : parseAddress(localAddress, localPort);
}
