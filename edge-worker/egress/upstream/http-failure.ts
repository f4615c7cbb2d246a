import { type FailureReason, StreamError } from "../../../protocol/errors.ts";

/** What a status says of the target (RFC 9110 section 15); the others say nothing of it. */
const reasonByStatus = new Map<number, FailureReason>([
  // For 407, by tinyproxy 1.11 when the password is wrong.
  [401, "edge-unavailable"],
  [403, "denied"],
  [405, "command-unsupported"],
  [407, "edge-unavailable"],
  [429, "quota-exceeded"],
  [451, "denied"],
  [501, "command-unsupported"],
  [502, "host-unreachable"],
  [503, "edge-unavailable"],
  [504, "timed-out"],
]);

/** Error types of Proxy-Status (RFC 9209 section 2.3) that tell more than their status. */
const reasonByError = new Map<string, FailureReason>([
  ["dns_timeout", "host-unreachable"],
  ["dns_error", "name-not-found"],
  ["destination_not_found", "host-unreachable"],
  ["destination_unavailable", "host-unreachable"],
  ["destination_ip_prohibited", "denied"],
  ["destination_ip_unroutable", "network-unreachable"],
  ["connection_refused", "connection-refused"],
  ["connection_timeout", "timed-out"],
  ["connection_limit_reached", "edge-unavailable"],
  ["http_request_denied", "denied"],
]);

/** More than any proxy says; the expressions that look at it take their time. */
const MAX_PROXY_STATUS = 1024;

/** Why a proxy did not connect, as far as its answer tells. */
export function failureOfAnswer(status: number, fields: ReadonlyMap<string, string>): StreamError {
  const reason =
    reasonByError.get(errorOf(fields.get("proxy-status") ?? "")) ??
    reasonByStatus.get(status) ??
    "general";
  const why =
    status === 407 || status === 401 ? "wants another user name and password" : `answers ${status}`;
  return new StreamError(reason, `Cannot connect: the upstream ${why}`);
}

/** The error type in a Proxy-Status; of several proxies' the last, which is the nearest to us. */
function errorOf(proxyStatus: string): string {
  // What stands in quotes is text for people.
  const bare = proxyStatus.slice(0, MAX_PROXY_STATUS).replaceAll(/"(?:[^"\\]|\\.)*"/g, "");
  return [...bare.matchAll(/;[ \t]*error=([a-z_]+)/g)].at(-1)?.[1] ?? "";
}
