import ipaddr from "ipaddr.js";
import { type ByteReader, type ByteWriter, encodeText } from "./bytes.ts";
import { ProtocolError, StreamError } from "./errors.ts";
import { AddressType } from "./wire.ts";

/** A canonical host: a dotted quad, an RFC 5952 IPv6 text without brackets, or a DNS name. */
export interface Host {
  readonly kind: "ipv4" | "ipv6" | "name";
  readonly host: string;
}

/** Where a stream goes, or where its socket is bound. */
export interface Address extends Host {
  /** 0 to 65,535; 0 where a reply has no port to tell. */
  readonly port: number;
}

/** "Not known": what RFC 1928 replies carry when there is nothing to say. */
export const UNSPECIFIED: Address = { kind: "ipv4", host: "0.0.0.0", port: 0 };

/** What a name may hold before the URL parser sees it: no delimiter, escape, space or control. */
const PLAUSIBLE_NAME = /^[^\p{Cc} /\\?#@:%[\]<>^|`{}"]+$/u;
const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const DOTTED_QUAD = new RegExp(String.raw`^${OCTET}(?:\.${OCTET}){3}$`);
/** RFC 1035 section 2.3.4, written without the trailing dot. */
const MAX_NAME_LENGTH = 253;
const MAX_LABEL_LENGTH = 63;
const IPV4_LENGTH = 4;

/**
 * The canonical form of what a user or client wrote. Names become lower-case A-labels without the
 * trailing dot, and every spelling of an IPv4 address that the URL standard knows ("0x7f.1",
 * "2130706433") becomes the address it means, so that policy is never asked about a disguise.
 *
 * @throws StreamError "name-not-found" for what cannot be a host
 */
export function parseHost(text: string): Host {
  // What nearly all clients send, and the URL parser would not change.
  if (DOTTED_QUAD.test(text)) return { kind: "ipv4", host: text };
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (bare.includes(":")) return parseIpv6(bare);
  if (bare.length !== text.length || !PLAUSIBLE_NAME.test(text)) throw notAHost(text);
  // Less the trailing dot, and only afterwards: IDNA makes dots of full stops in other scripts.
  const host = hostnameOf(text).replace(/\.$/, "");
  // Once more: IDNA maps full-width forms to the very delimiters that were looked for above.
  if (!PLAUSIBLE_NAME.test(host)) throw notAHost(text);
  if (ipaddr.IPv4.isValidFourPartDecimal(host)) return { kind: "ipv4", host };
  if (host.length > MAX_NAME_LENGTH || !host.split(".").every(isLabel)) throw notAHost(text);
  return { kind: "name", host };
}

/** An address from its host text and port. @throws as parseHost() */
export function parseAddress(host: string, port: number): Address {
  return { ...parseHost(host), port };
}

/** "1.2.3.4:80", "[::1]:80", "name:80". */
export function formatAddress({ kind, host, port }: Address): string {
  return kind === "ipv6" ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The canonical host of 4 or 16 octets. */
export function hostOfOctets(octets: Uint8Array): Host {
  // The form of nearly all addresses, for which no parser is needed.
  if (octets.length === IPV4_LENGTH) {
    return { kind: "ipv4", host: `${octets[0]}.${octets[1]}.${octets[2]}.${octets[3]}` };
  }
  return { kind: "ipv6", host: new ipaddr.IPv6([...octets]).toRFC5952String() };
}

/**
 * The address form of RFC 1928 section 5 (PROTOCOL.md section 5):
 *
 *   +------+----------+----------+
 *   | ATYP | ADDR     | PORT     |
 *   |  u8  | variable |   u16    |     name: length u8, then that many octets of ASCII
 *   +------+----------+----------+
 */
export function encodeAddress(writer: ByteWriter, address: Address): void {
  switch (address.kind) {
    case "ipv4":
      writer.u8(AddressType.Ipv4);
      for (const octet of address.host.split(".")) writer.u8(Number(octet));
      break;
    case "ipv6":
      writer.u8(AddressType.Ipv6).bytes(octetsOf(address.host));
      break;
    case "name": {
      const name = encodeText(address.host, 255);
      writer.u8(AddressType.Name).u8(name.length).bytes(name);
      break;
    }
    default:
      address.kind satisfies never;
  }
  writer.u16(address.port);
}

/** The inverse of encodeAddress(). A name that is not in canonical form is a ProtocolError. */
export function decodeAddress(reader: ByteReader): Address {
  const host = decodeHost(reader);
  return { ...host, port: reader.u16() };
}

function decodeHost(reader: ByteReader): Host {
  const type = reader.u8();
  switch (type) {
    case AddressType.Ipv4:
      return hostOfOctets(reader.bytes(4));
    case AddressType.Ipv6:
      return hostOfOctets(reader.bytes(16));
    case AddressType.Name:
      return decodeName(reader.text(reader.u8()));
    default:
      throw new ProtocolError("ERR_ADDRESS", `Cannot decode address: type is ${type}`);
  }
}

function decodeName(name: string): Host {
  const host = canonicalOrUndefined(name);
  if (host?.kind === "name" && host.host === name) return host;
  throw new ProtocolError(
    "ERR_ADDRESS",
    `Cannot decode address: ${JSON.stringify(name)} is not canonical`,
  );
}

function canonicalOrUndefined(name: string): Host | undefined {
  try {
    return parseHost(name);
  } catch {
    return undefined;
  }
}

function octetsOf(host: string): Uint8Array {
  return Uint8Array.from(ipaddr.parse(host).toByteArray());
}

function parseIpv6(text: string): Host {
  // A zone index ("fe80::1%eth0") means something on one machine only, never at the edge.
  // Looked at before the URL parser sees it: it must not find a delimiter of its own in there.
  if (!/^[0-9a-f:.]+$/iu.test(text)) throw notAHost(text);
  // By the URL parser, as ipaddr.js reads ::192.0.2.1 as if it were ::ffff:192.0.2.1.
  return { kind: "ipv6", host: hostnameOf(`[${text}]`).slice(1, -1) };
}

/** Host parsing of the URL standard: lower case, IDNA, and the number forms of IPv4. */
function hostnameOf(text: string): string {
  const url = URL.parse(`http://${text}/`);
  if (!url?.hostname) throw notAHost(text);
  return url.hostname;
}

function isLabel(label: string): boolean {
  return label.length > 0 && label.length <= MAX_LABEL_LENGTH;
}

function notAHost(text: string): StreamError {
  return new StreamError("name-not-found", `Cannot use ${JSON.stringify(text)} as a host`);
}
