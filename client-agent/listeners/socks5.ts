import { type Address, encodeAddress, hostOfOctets, UNSPECIFIED } from "../../protocol/address.ts";
import { ByteWriter } from "../../protocol/bytes.ts";
import { HandshakeError } from "../../protocol/errors.ts";
import { replyTo } from "../../protocol/failure.ts";
import { AddressType } from "../../protocol/wire.ts";
import { destination } from "./destination.ts";
import { bytes, type Handshake, uint16, uint8, write } from "./handshake.ts";
import type { ClientRequest, Replies } from "./request.ts";
import { authenticate } from "./socks5-auth.ts";
import type { Users } from "./users.ts";

/** VER of RFC 1928; the first byte a SOCKS5 client sends. */
export const SOCKS5_VERSION = 0x05;

/** METHOD of RFC 1928 section 3. */
const Method = { NoAuthentication: 0x00, UsernamePassword: 0x02, NoAcceptable: 0xff } as const;

const SUCCEEDED = 0x00;

/** Answers of RFC 1928 section 6. */
const replies: Replies = {
  success: (bound) => encodeReply(SUCCEEDED, bound),
  failure: (reason) => encodeReply(replyTo[reason].socks5, UNSPECIFIED),
};

/**
 * RFC 1928, from the byte after VER of the greeting to the end of the request. Whatever cannot
 * be understood is answered as the RFC has it before HandshakeError is thrown.
 */
export function* socks5(users: Users): Handshake<ClientRequest> {
  const user = yield* negotiate(users);

  // Section 4: VER | CMD | RSV | ATYP | DST.ADDR | DST.PORT
  const version = yield* uint8();
  if (version !== SOCKS5_VERSION) {
    throw new HandshakeError("ERR_HANDSHAKE", `Cannot take the request: VER is ${version}`);
  }
  const command = yield* uint8();
  // RSV: "must be set to X'00'" by the client; nothing says to refuse another value.
  yield* uint8();
  const host = yield* hostOf(yield* uint8());
  const port = yield* uint16();
  return { command, address: yield* destination(host, port, replies), user, replies };
}

/** VER | REP | RSV | ATYP | BND.ADDR | BND.PORT. */
function encodeReply(rep: number, bound: Address): Uint8Array {
  const writer = new ByteWriter().u8(SOCKS5_VERSION).u8(rep).u8(0);
  encodeAddress(writer, bound);
  return writer.take();
}

/** Section 3: VER | NMETHODS | METHODS, answered by VER | METHOD. */
function* negotiate(users: Users): Handshake<string | undefined> {
  const methods = yield* bytes(yield* uint8());
  const wanted = users.isRequired ? Method.UsernamePassword : Method.NoAuthentication;
  if (methods.includes(wanted)) {
    yield* write(SOCKS5_VERSION, wanted);
    return users.isRequired ? yield* authenticate(users) : undefined;
  }
  yield* write(SOCKS5_VERSION, Method.NoAcceptable);
  const what = users.isRequired ? "a user name and password" : "no authentication";
  throw new HandshakeError("ERR_HANDSHAKE", `Cannot agree on a method: this port wants ${what}`);
}

/** Section 5: IPv4 | length-prefixed name | IPv6. */
function* hostOf(type: number): Handshake<string> {
  switch (type) {
    case AddressType.Ipv4:
      return hostOfOctets(yield* bytes(4)).host;
    case AddressType.Ipv6:
      return hostOfOctets(yield* bytes(16)).host;
    case AddressType.Name:
      return new TextDecoder().decode(yield* bytes(yield* uint8()));
    default:
      yield { write: replies.failure("address-unsupported") };
      throw new HandshakeError("ERR_HANDSHAKE", `Cannot take the request: ATYP is ${type}`);
  }
}
