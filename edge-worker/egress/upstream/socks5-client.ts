import {
  type Address,
  encodeAddress,
  hostOfOctets,
  UNSPECIFIED,
} from "../../../protocol/address.ts";
import { ByteWriter } from "../../../protocol/bytes.ts";
import type { ByteChannel } from "../../../protocol/channel.ts";
import { type FailureReason, HandshakeError, StreamError } from "../../../protocol/errors.ts";
import { ExactReader } from "../../../protocol/exact-reader.ts";
import { AddressType, Command } from "../../../protocol/wire.ts";
import { withHead } from "../../../protocol/with-head.ts";
import type { Connection } from "../egress.ts";
import type { Credentials } from "./upstream-url.ts";

const VERSION = 0x05;
/** VER of RFC 1929, which is not the version of SOCKS. */
const AUTH_VERSION = 0x01;
/** METHOD of RFC 1928 section 3. */
const Method = { NoAuthentication: 0x00, UsernamePassword: 0x02 } as const;
const SUCCEEDED = 0x00;

/** REP of RFC 1928 section 6. */
const reasonByRep = new Map<number, FailureReason>([
  [0x02, "denied"],
  [0x03, "network-unreachable"],
  [0x04, "host-unreachable"],
  [0x05, "connection-refused"],
  [0x06, "timed-out"],
  [0x07, "command-unsupported"],
  [0x08, "address-unsupported"],
]);

/**
 * Lets a SOCKS5 server connect to `target` (RFC 1928, RFC 1929), over a connection to it. Names go
 * as names: the server resolves them.
 *
 * @throws StreamError for what the server says of the target, HandshakeError for a server that is
 * of no use
 */
export async function connectBySocks5(
  proxy: ByteChannel,
  target: Address,
  user: Credentials | undefined,
): Promise<Connection> {
  const reader = new ExactReader(proxy);
  await negotiate(proxy, reader, user);
  // Section 4: VER | CMD | RSV | ATYP | DST.ADDR | DST.PORT
  const request = new ByteWriter().u8(VERSION).u8(Command.Connect).u8(0);
  encodeAddress(request, target);
  await proxy.write(request.take());
  const bound = await readReply(reader);
  // The server may send the target's first bytes in one segment with its reply.
  return { channel: reader.rest.length > 0 ? withHead(reader.rest, proxy) : proxy, bound };
}

/** Section 3: VER | NMETHODS | METHODS, answered by VER | METHOD. */
async function negotiate(
  proxy: ByteChannel,
  reader: ExactReader,
  user: Credentials | undefined,
): Promise<void> {
  const { NoAuthentication, UsernamePassword } = Method;
  const methods = user ? [NoAuthentication, UsernamePassword] : [NoAuthentication];
  await proxy.write(Uint8Array.of(VERSION, methods.length, ...methods));
  const [version, method] = await reader.exactly(2);
  if (version !== VERSION) throw unusable(`VER is ${version}`);
  if (method === NoAuthentication) return;
  if (user && method === UsernamePassword) return authenticate(proxy, reader, user);
  throw unusable(user ? "it takes no password" : "it wants a user name and password");
}

/** RFC 1929 section 2: VER | ULEN | UNAME | PLEN | PASSWD, answered by VER | STATUS. */
async function authenticate(
  proxy: ByteChannel,
  reader: ExactReader,
  { name, password }: Credentials,
): Promise<void> {
  const message = new ByteWriter().u8(AUTH_VERSION);
  for (const text of [name, password]) {
    const bytes = new TextEncoder().encode(text);
    message.u8(bytes.length).bytes(bytes);
  }
  await proxy.write(message.take());
  // VER of the answer is not looked at: there are servers that say 5.
  const [, status] = await reader.exactly(2);
  if (status !== SUCCEEDED) throw unusable("it refuses our user name and password");
}

/** Section 6: VER | REP | RSV | ATYP | BND.ADDR | BND.PORT. */
async function readReply(reader: ExactReader): Promise<Address> {
  const [version, rep = 0] = await reader.exactly(3);
  if (version !== VERSION) throw unusable(`VER is ${version}`);
  // A server that refuses may leave out the rest, so that is not waited for.
  if (rep !== SUCCEEDED) {
    const reason = reasonByRep.get(rep) ?? "general";
    throw new StreamError(reason, `Cannot connect: the upstream answers REP ${rep}`);
  }
  const [type = 0] = await reader.exactly(1);
  const octets = await reader.exactly(await lengthOf(type, reader));
  const [high = 0, low = 0] = await reader.exactly(2);
  return type === AddressType.Name
    ? UNSPECIFIED
    : { ...hostOfOctets(octets), port: high * 256 + low };
}

/** Section 5: how many octets BND.ADDR has. */
async function lengthOf(type: number, reader: ExactReader): Promise<number> {
  switch (type) {
    case AddressType.Ipv4:
      return 4;
    case AddressType.Ipv6:
      return 16;
    case AddressType.Name: {
      const [length = 0] = await reader.exactly(1);
      return length;
    }
    default:
      throw unusable(`ATYP is ${type}`);
  }
}

function unusable(why: string): HandshakeError {
  return new HandshakeError("ERR_HANDSHAKE", `Cannot use the upstream: ${why}`);
}
