import { type Address, parseAddress } from "../../../protocol/address.ts";
import { Admission } from "../../../protocol/admission.ts";
import { ConfigError, messageOf } from "../../../protocol/errors.ts";

/** What a proxy wants to know of its user. */
export interface Credentials {
  readonly name: string;
  readonly password: string;
}

/** A proxy in front of the targets, or another edge. */
export type UpstreamAddress =
  | {
      readonly kind: "socks5" | "http";
      readonly address: Address;
      readonly user: Credentials | undefined;
    }
  | { readonly kind: "edge"; readonly url: URL; readonly admission: Admission };

/** RFC 1928 has no default port; 1080 is IANA's for "socks". */
const DEFAULT_PORT = { socks5: 1080, http: 80 } as const;
/** What RFC 1929 section 2 has room for, in bytes. */
const MAX_CREDENTIAL = 255;

const WORDS =
  "expected socks5://USER:PASSWORD@HOST:PORT, http://USER:PASSWORD@HOST:PORT or wss://KEYID:SECRET@HOST/PATH";

/** The address in an upstream's URL. @throws ConfigError, which shows nothing of the URL: it has secrets */
export function parseUpstreamUrl(text: string): UpstreamAddress {
  const url = URL.parse(text);
  if (url === null || url.hostname === "" || url.hash !== "") throw new ConfigError(WORDS);
  switch (url.protocol) {
    case "socks5:":
      return proxyOf("socks5", url);
    case "http:":
      return proxyOf("http", url);
    case "ws:":
    case "wss:":
      return edgeOf(url);
    default:
      throw new ConfigError(WORDS);
  }
}

function proxyOf(kind: "socks5" | "http", url: URL): UpstreamAddress {
  if (!["", "/"].includes(url.pathname) || url.search !== "") throw new ConfigError(WORDS);
  const port = url.port === "" ? DEFAULT_PORT[kind] : Number(url.port);
  if (port === 0) throw new ConfigError("expected a port from 1 to 65535");
  return { kind, address: addressOf(url.hostname, port), user: userOf(kind, url) };
}

function addressOf(host: string, port: number): Address {
  try {
    return parseAddress(decode(host), port);
  } catch (cause) {
    throw new ConfigError("expected a host name or an IP address", { cause });
  }
}

function userOf(kind: "socks5" | "http", url: URL): Credentials | undefined {
  if (url.username === "" && url.password === "") return undefined;
  const user = { name: decode(url.username), password: decode(url.password) };
  const lengths = [user.name, user.password].map((text) => new TextEncoder().encode(text).length);
  const [name = 0, password = 0] = lengths;
  if (name === 0 || name > MAX_CREDENTIAL || password > MAX_CREDENTIAL) {
    throw new ConfigError(`expected a user name and password of up to ${MAX_CREDENTIAL} bytes`);
  }
  // RFC 1929 section 2: PLEN is 1 to 255. RFC 7617 section 2: the first colon ends the name.
  if (kind === "socks5" && password === 0) throw new ConfigError("expected a password");
  if (kind === "http" && user.name.includes(":")) {
    throw new ConfigError("expected a user name without a colon");
  }
  return user;
}

function edgeOf(url: URL): UpstreamAddress {
  const [keyId, secret] = [decode(url.username), decode(url.password)];
  url.username = "";
  url.password = "";
  try {
    return { kind: "edge", url, admission: new Admission(keyId, secret) };
  } catch (cause) {
    throw new ConfigError(`expected wss://KEYID:SECRET@HOST/PATH. ${messageOf(cause)}`, { cause });
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new ConfigError("expected %-escapes of UTF-8", { cause });
  }
}
