import type { ByteChannel } from "../../../protocol/channel.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { withHead } from "../../../protocol/with-head.ts";
import {
  attributeOf,
  decodeStun,
  StunAttribute,
  StunClass,
  StunMethod,
  TRANSACTION_ID_LENGTH,
} from "./stun-message.ts";
import { decodeErrorCode } from "./stun-values.ts";
import { dialTurn } from "./turn-connection.ts";
import type { TurnCredentials } from "./turn-credentials.ts";
import { turnFailure } from "./turn-failure.ts";
import { TurnDeframer } from "./turn-framing.ts";
import type { TurnServer } from "./turn-server.ts";

/** A stale nonce, and once more. */
const MAX_TRIES = 3;

/**
 * The connection for the bytes of one peer (RFC 6062 section 4.3): after ConnectionBind has
 * succeeded it is the peer's, as it were. It is signed from the first try with what the control
 * connection has learnt: coturn ends a connection that it would have to challenge.
 *
 * @throws StreamError
 */
export async function openDataConnection(
  server: TurnServer,
  credentials: TurnCredentials,
  connectionId: Uint8Array,
  signal: AbortSignal,
): Promise<ByteChannel> {
  const channel = await dialTurn(server, signal);
  try {
    const rest = await bind(channel, credentials, connectionId);
    return rest.length === 0 ? channel : withHead(rest, channel);
  } catch (error) {
    channel.abort(error);
    throw error;
  }
}

/** Gives what the peer has sent already. */
async function bind(
  channel: ByteChannel,
  credentials: TurnCredentials,
  connectionId: Uint8Array,
): Promise<Uint8Array> {
  const deframer = new TurnDeframer();
  const attributes = [{ type: StunAttribute.ConnectionId, value: connectionId }];
  for (let tries = 1; ; tries++) {
    const transactionId = crypto.getRandomValues(new Uint8Array(TRANSACTION_ID_LENGTH));
    await channel.write(
      await credentials.encodeRequest(StunMethod.ConnectionBind, transactionId, attributes),
    );
    const bytes = await nextMessage(channel, deframer);
    const message = decodeStun(bytes);
    if (message.transactionId.join() !== transactionId.join()) throw unexpected();
    if (message.class === StunClass.Success) {
      if (await credentials.isGenuine(bytes, message)) return deframer.rest;
      throw unexpected();
    }
    if (tries < MAX_TRIES && (await credentials.learn(message))) continue;
    throw turnFailure("bind", decodeErrorCode(attributeOf(message, StunAttribute.ErrorCode)));
  }
}

async function nextMessage(channel: ByteChannel, deframer: TurnDeframer): Promise<Uint8Array> {
  for (;;) {
    const frame = deframer.next();
    if (frame?.kind === "stun") return frame.bytes;
    if (frame) throw unexpected();
    const chunk = await channel.read();
    if (chunk === null) throw unexpected();
    deframer.push(chunk);
  }
}

function unexpected(): StreamError {
  const text = "Cannot bind at the TURN server: it answered otherwise than RFC 6062 has it";
  return new StreamError("general", text);
}
