import { type Address, parseAddress } from "../../../protocol/address.ts";

/** A TURN server, as `turn:` and `turns:` URIs name it (RFC 7065). */
export interface TurnUrl {
  readonly server: Address;
  /** By TLS (`turns:`). */
  readonly isSecure: boolean;
}

/** RFC 8656 section 4: 3478, and 5349 for TLS. */
const defaultPorts = { turn: 3478, turns: 5349 } as const;
const URL_FORM =
  /^(turns?):(\[[0-9a-f:.]+\]|[^[\]:/?@\s]+)(?::(\d{1,5}))?(?:\?transport=(tcp|udp))?$/i;

/** What people are told who gave something else. */
export const TURN_URL_WORDS = "expected turn:HOST:PORT?transport=tcp or turns:HOST:PORT";

/** Reads a URI; undefined for what is none, or asks for UDP, which a Worker has not. */
export function parseTurnUrl(text: string): TurnUrl | undefined {
  const [, scheme = "", host = "", portText, transport = "tcp"] = URL_FORM.exec(text) ?? [];
  const isSecure = scheme.toLowerCase() === "turns";
  const port = Number(portText ?? defaultPorts[isSecure ? "turns" : "turn"]);
  if (scheme === "" || transport.toLowerCase() !== "tcp") return undefined;
  if (port < 1 || port > 65_535) return undefined;
  try {
    return { server: parseAddress(host, port), isSecure };
  } catch {
    return undefined;
  }
}

/** The inverse of parseTurnUrl(). */
export function formatTurnUrl({ server, isSecure }: TurnUrl): string {
  const host = server.kind === "ipv6" ? `[${server.host}]` : server.host;
  return `${isSecure ? "turns" : "turn"}:${host}:${server.port}?transport=tcp`;
}
