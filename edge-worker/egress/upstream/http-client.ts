import { type Address, formatAddress, UNSPECIFIED } from "../../../protocol/address.ts";
import type { ByteChannel } from "../../../protocol/channel.ts";
import { HandshakeError } from "../../../protocol/errors.ts";
import { ExactReader } from "../../../protocol/exact-reader.ts";
import { withHead } from "../../../protocol/with-head.ts";
import type { Connection } from "../egress.ts";
import { failureOfAnswer } from "./http-failure.ts";
import type { Credentials } from "./upstream-url.ts";

/** Bytes that the header of an answer may have, interim answers included. */
const MAX_HEADER = 16_384;
const END_OF_HEADER = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a);

const encoder = new TextEncoder();
// RFC 9112 section 2.2: a header is octets; this decoder has no bytes that it cannot take.
const decoder = new TextDecoder("latin1");

/**
 * Lets an HTTP proxy connect to `target` by CONNECT (RFC 9110 section 9.3.6), over a connection to
 * it. Names go as names: the proxy resolves them.
 *
 * @throws StreamError for what the proxy says of the target, HandshakeError for a proxy that is of
 * no use
 */
export async function connectByHttp(
  proxy: ByteChannel,
  target: Address,
  user: Credentials | undefined,
): Promise<Connection> {
  const reader = new ExactReader(proxy);
  await proxy.write(encoder.encode(formatRequest(formatAddress(target), user)));
  for (let room = MAX_HEADER; ;) {
    const header = await reader.through(END_OF_HEADER, room);
    room -= header.length;
    const { status, fields } = parseAnswer(decoder.decode(header));
    // RFC 9110 section 15.2: interim answers come before the one that counts.
    if (status >= 100 && status < 200 && status !== 101) continue;
    if (status < 200 || status >= 300) throw failureOfAnswer(status, fields);
    // Whatever its fields say, a 2xx to CONNECT has no content: the target's bytes follow.
    const channel = reader.rest.length > 0 ? withHead(reader.rest, proxy) : proxy;
    return { channel, bound: UNSPECIFIED };
  }
}

function formatRequest(authority: string, user: Credentials | undefined): string {
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
  if (user) lines.push(`Proxy-Authorization: Basic ${encodeBasic(user)}`);
  return [...lines, "", ""].join("\r\n");
}

/** RFC 7617 section 2, in UTF-8. */
function encodeBasic({ name, password }: Credentials): string {
  return btoa(String.fromCharCode(...encoder.encode(`${name}:${password}`)));
}

/** RFC 9112 section 4: HTTP-version SP status-code SP [ reason-phrase ], then the fields. */
const STATUS_LINE = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [^\r\n]*)?$/;

interface Answer {
  readonly status: number;
  /** By lower-case name; a field that comes several times is joined by commas. */
  readonly fields: ReadonlyMap<string, string>;
}

function parseAnswer(header: string): Answer {
  const [first = "", ...lines] = header.trimEnd().split("\r\n");
  const status = STATUS_LINE.exec(first)?.[1];
  if (status === undefined) {
    const text = "Cannot use the upstream: its answer is not HTTP/1.1";
    throw new HandshakeError("ERR_HANDSHAKE", text);
  }
  const fields = new Map<string, string>();
  for (const line of lines) {
    // RFC 9112 section 5: name, colon, value; white space around the value is none of it.
    const colon = line.indexOf(":");
    const key = line.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = fields.get(key);
    fields.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return { status: Number(status), fields };
}
