import { type Address, formatAddress, parseAddress } from "../../protocol/address.ts";
import { type ErrorCode, HandshakeError } from "../../protocol/errors.ts";
import { rejectionOf, type Users } from "./users.ts";

/** A request that is answered with an error status; the connection ends after it. */
export class HttpRefusal extends HandshakeError {
  readonly status: number;

  constructor(status: number, message: string, code: ErrorCode = "ERR_HANDSHAKE") {
    super(code, message);
    this.status = status;
  }
}

/** Where a request in absolute-form goes, and as what. */
export interface HttpTarget {
  readonly address: Address;
  /** The Host field for the target. */
  readonly host: string;
  /** The request-target for the target: origin-form, or "*". */
  readonly path: string;
}

const HTTP_PORT = 80;
const MAX_PORT = 65_535;

/** `host:port` of RFC 9110 section 9.3.6: the port must be there. @throws HttpRefusal */
export function parseAuthority(authority: string): Address {
  return parseHostPort(authority, undefined);
}

/** The absolute-form of RFC 9112 section 3.2.2. Path and query stay as they came. @throws HttpRefusal */
export function parseAbsoluteForm(method: string, target: string): HttpTarget {
  const [, scheme, authority = "", rest = ""] =
    /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^#]*)/i.exec(target) ?? [];
  if (scheme === undefined) {
    const wants = "it takes CONNECT, and other methods with an absolute http:// URL";
    throw new HttpRefusal(400, `Cannot take the request: this is a proxy, ${wants}`);
  }
  if (scheme.toLowerCase() !== "http") {
    throw new HttpRefusal(501, "Cannot fetch any URL but http:// ones: use CONNECT for the rest");
  }
  const address = parseHostPort(authority, HTTP_PORT);
  const hostPort = formatAddress(address);
  const host = address.port === HTTP_PORT ? hostPort.replace(/:\d+$/, "") : hostPort;
  // RFC 9112 section 3.2.4: OPTIONS of no path at all asks about the whole server.
  if (rest === "") return { address, host, path: method === "OPTIONS" ? "*" : "/" };
  return { address, host, path: rest.startsWith("/") ? rest : `/${rest}` };
}

/**
 * RFC 9112 section 3.2: a request with more than one Host field "MUST" get 400, as the next reader
 * may believe the other one. @throws HttpRefusal
 */
export function requireOneHost(raw: readonly string[]): void {
  const hosts = pairsOf(raw).filter(([name]) => name.toLowerCase() === "host");
  if (hosts.length <= 1) return;
  throw new HttpRefusal(400, "Cannot take the request: it has more than one Host field");
}

/**
 * Who sends a request: RFC 7617 section 2, in the field Proxy-Authorization. Undefined when nobody
 * has to say. @throws HttpRefusal with status 407, or 503 when nobody could look
 */
export async function authorize(
  users: Users,
  credentials: string | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!users.isRequired) return undefined;
  if (credentials === undefined) {
    throw new HttpRefusal(407, "Cannot authenticate: this port wants a user name and password");
  }
  const octets = decodeBase64(/^basic +([A-Za-z0-9+/=]*) *$/i.exec(credentials)?.[1] ?? "");
  const colon = octets.indexOf(COLON);
  const name = new TextDecoder().decode(octets.subarray(0, Math.max(colon, 0)));
  const password = octets.subarray(colon + 1);
  const verdict = colon > 0 ? await users.verify(name, password, signal) : "wrong";
  if (verdict === "right") return name;
  throw new HttpRefusal(verdict === "busy" ? 503 : 407, rejectionOf[verdict]);
}

const COLON = 0x3a;

/** Fields about one connection (RFC 9110 section 7.6.1), and those about this proxy. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/**
 * The fields that go on to the next hop, as flat pairs: without those of HOP_BY_HOP, those that
 * Connection names, and those of `less` (in lower case).
 */
export function endToEndFields(raw: readonly string[], less: readonly string[] = []): string[] {
  const pairs = pairsOf(raw);
  const options = pairs
    .filter(([name]) => name.toLowerCase() === "connection")
    .flatMap(([, value]) => value.split(",").map((option) => option.trim().toLowerCase()));
  const dropped = new Set([...HOP_BY_HOP, ...less, ...options]);
  return pairs.filter(([name]) => !dropped.has(name.toLowerCase())).flat();
}

function pairsOf(raw: readonly string[]): [name: string, value: string][] {
  return Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i] ?? "", raw[2 * i + 1] ?? ""]);
}

function parseHostPort(authority: string, fallbackPort: number | undefined): Address {
  const [, host = "", digits = ""] = /^(\[[^\]]*\]|[^:]*)(?::(\d{0,5}))?$/.exec(authority) ?? [];
  const port = digits === "" ? (fallbackPort ?? 0) : Number(digits);
  try {
    if (port > 0 && port <= MAX_PORT) return parseAddress(host, port);
  } catch {
    // The cause names the host: a target is not for the log.
  }
  throw new HttpRefusal(400, "Cannot take the request: its target is not a host and a port");
}

function decodeBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (octet) => octet.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}
