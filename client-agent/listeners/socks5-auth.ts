import { HandshakeError } from "../../protocol/errors.ts";
import { ask, bytes, type Handshake, uint8, write } from "./handshake.ts";
import type { Verdict } from "./password-checker.ts";
import { rejectionOf, type Users } from "./users.ts";

/** VER of the sub-negotiation, which is not the version of SOCKS. */
const AUTH_VERSION = 0x01;
const SUCCESS = 0x00;
const FAILURE = 0x01;

/**
 * RFC 1929 section 2: VER | ULEN | UNAME | PLEN | PASSWD, answered by VER | STATUS.
 * Returns the user's name; a wrong password is answered before HandshakeError is thrown.
 */
export function* authenticate(users: Users): Handshake<string> {
  const version = yield* uint8();
  if (version !== AUTH_VERSION) {
    throw new HandshakeError("ERR_HANDSHAKE", `Cannot authenticate: VER is ${version}`);
  }
  const name = new TextDecoder().decode(yield* bytes(yield* uint8()));
  const password = yield* bytes(yield* uint8());
  const verdict = yield* ask<Verdict>((signal) => users.verify(name, password, signal), "wrong");
  if (verdict === "right") {
    yield* write(AUTH_VERSION, SUCCESS);
    return name;
  }
  yield* write(AUTH_VERSION, FAILURE);
  throw new HandshakeError("ERR_HANDSHAKE", rejectionOf[verdict]);
}
