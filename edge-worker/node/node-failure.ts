import { type FailureReason, messageOf, StreamError } from "../../protocol/errors.ts";

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

/** The StreamError for what Node said when we tried to `do` something ("connect", "resolve"). */
export function failureOf(what: string, cause: unknown): StreamError {
  if (cause instanceof StreamError) return cause;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const reason = reasonByErrno[code] ?? "general";
  const why = code === "" ? messageOf(cause) : code;
  return new StreamError(reason, `Cannot ${what}: ${why}`, { cause });
}
