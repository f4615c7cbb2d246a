import { type Address, hostOfOctets, UNSPECIFIED } from "../../protocol/address.ts";
import { ByteWriter } from "../../protocol/bytes.ts";
import { type FailureReason, HandshakeError } from "../../protocol/errors.ts";
import { replyTo } from "../../protocol/failure.ts";
import { Command } from "../../protocol/wire.ts";
import { destination } from "./destination.ts";
import { ask, bytes, type Handshake, uint16, uint8 } from "./handshake.ts";
import type { Verdict } from "./password-checker.ts";
import type { ClientRequest, Replies } from "./request.ts";
import { rejectionOf, type Users } from "./users.ts";

/** VN of a request; the first byte a SOCKS4 client sends. */
export const SOCKS4_VERSION = 0x04;

/** CD of a reply: granted; "client program and identd report different user-ids". */
const GRANTED = 90;
const USER_ID_DIFFERS = 93;

/** Longest USERID and longest name, without their NUL. */
const MAX_TEXT = 512;

/** Answers of the SOCKS4 memo. A bound address that is not IPv4 cannot be told. */
const replies: Replies = {
  success: (bound) => encodeReply(GRANTED, bound),
  failure: (reason: FailureReason) => encodeReply(replyTo[reason].socks4, UNSPECIFIED),
};

/**
 * The SOCKS4 memo (Ying-Da Lee) and its SOCKS4a extension, from the byte after VN: CD | DSTPORT |
 * DSTIP | USERID | NUL, and for a DSTIP of 0.0.0.x with x not 0 a name and NUL behind it.
 *
 * The protocol has no password. Where users are configured, the user id must be NAME:PASSWORD.
 */
export function* socks4(users: Users): Handshake<ClientRequest> {
  const command = yield* uint8();
  const port = yield* uint16();
  const octets = yield* bytes(4);
  const userId = yield* text("user id");
  const isNamed = octets[0] === 0 && octets[1] === 0 && octets[2] === 0 && octets[3] !== 0;
  const host = isNamed ? yield* text("name") : hostOfOctets(octets).host;
  const user = yield* identify(users, userId);
  if (command === Command.UdpAssociate) {
    // The number means this in SOCKS5 only; the memo knows no UDP.
    yield { write: replies.failure("command-unsupported") };
    throw new HandshakeError("ERR_HANDSHAKE", `Cannot take the request: CD is ${command}`);
  }
  return { command, address: yield* destination(host, port, replies), user, replies };
}

/** VN (0 in replies) | CD | DSTPORT | DSTIP. */
function encodeReply(code: number, bound: Address): Uint8Array {
  const { host, port } = bound.kind === "ipv4" ? bound : { ...UNSPECIFIED, port: bound.port };
  const octets = Uint8Array.from(host.split("."), Number);
  return new ByteWriter().u8(0).u8(code).u16(port).bytes(octets).take();
}

/** Octets up to a NUL, as text. */
function* text(what: string): Handshake<string> {
  const octets: number[] = [];
  for (let octet = yield* uint8(); octet !== 0; octet = yield* uint8()) {
    octets.push(octet);
    if (octets.length > MAX_TEXT) {
      yield { write: replies.failure("general") };
      const why = `the ${what} has more than ${MAX_TEXT} octets`;
      throw new HandshakeError("ERR_HANDSHAKE", `Cannot take the request: ${why}`);
    }
  }
  return new TextDecoder().decode(Uint8Array.from(octets));
}

function* identify(users: Users, userId: string): Handshake<string | undefined> {
  if (!users.isRequired) return userId === "" ? undefined : userId;
  const colon = userId.indexOf(":");
  const name = userId.slice(0, Math.max(colon, 0));
  const password = new TextEncoder().encode(userId.slice(colon + 1));
  // What names nobody tells nothing about who there is: it need not cost anything.
  const verdict =
    colon > 0
      ? yield* ask<Verdict>((signal) => users.verify(name, password, signal), "wrong")
      : "wrong";
  if (verdict === "right") return name;
  const isBusy = verdict === "busy";
  yield { write: isBusy ? replies.failure("general") : encodeReply(USER_ID_DIFFERS, UNSPECIFIED) };
  throw new HandshakeError("ERR_HANDSHAKE", rejectionOf[verdict]);
}
