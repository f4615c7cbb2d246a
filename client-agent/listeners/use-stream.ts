import { type RelayTotals, relay } from "../../protocol/channel.ts";
import { reasonOf, StreamError } from "../../protocol/errors.ts";
import { Command } from "../../protocol/wire.ts";
import { withHead } from "../../protocol/with-head.ts";
import type { Opened } from "./gateway.ts";
import type { Tunnel } from "./request.ts";
import { type OpenUdp, UdpRelay, type UdpRelayOptions } from "./udp-relay.ts";

/** What a UDP association needs beside its stream. */
export interface UdpContext extends Pick<UdpRelayOptions, "clock" | "fragmentLimits" | "dropped"> {
  readonly openUdp: OpenUdp;
}

export interface UseContext {
  readonly udp: UdpContext;
  readonly totals: RelayTotals;
}

/**
 * Answers a client whose stream the edge has opened, and uses the stream for its command. Gives
 * "relayed" when both sides have ended, "answered" when the client has been told all there is.
 */
export async function useStream(
  tunnel: Tunnel,
  opened: Opened,
  context: UseContext,
): Promise<"relayed" | "answered"> {
  const { request, client } = tunnel;
  const { stream, bound, rest } = opened;
  switch (request.command) {
    case Command.Bind: {
      await client.write(request.replies.success(bound));
      // Read ahead, as this is how a client that leaves while it waits is noticed.
      const ahead = client.read();
      if (!(await peerCame(tunnel, opened, ahead))) return "answered";
      const patient = withHead(ahead, client);
      await relay(rest.length > 0 ? withHead(rest, patient) : patient, stream, context.totals);
      return "relayed";
    }
    case Command.UdpAssociate:
      await associate(tunnel, opened, context.udp);
      return "answered";
    case Command.Resolve:
    case Command.ResolvePtr:
      await client.write(request.replies.success(bound));
      await stream.end();
      return "answered";
    default:
      await client.write(request.replies.success(bound));
  }
  await relay(rest.length > 0 ? withHead(rest, client) : client, stream, context.totals);
  return "relayed";
}

/** The second reply of BIND (RFC 1928 section 4): who has connected, or that nobody did. */
async function peerCame(
  { request, client }: Tunnel,
  { stream }: Opened,
  ahead: Promise<Uint8Array | null>,
): Promise<boolean> {
  ahead.then(
    (chunk) => {
      if (chunk === null) stream.abort(new StreamError("cancelled", "The client has left"));
    },
    // A client that breaks off has reset the stream already.
    () => {},
  );
  try {
    const peer = await stream.answer();
    await client.write(request.replies.success(peer));
    return true;
  } catch (error) {
    await client.write(request.replies.failure(reasonOf(error)));
    return false;
  }
}

/** UDP ASSOCIATE (RFC 1928 section 7), for as long as the client keeps its connection. */
async function associate(
  { request, client }: Tunnel,
  { stream }: Opened,
  { openUdp, ...options }: UdpContext,
): Promise<void> {
  const { localHost, remoteHost } = client;
  const relay = new UdpRelay({
    ...options,
    stream,
    client,
    clientHost: remoteHost,
    announced: request.address,
  });
  await client.write(request.replies.success(await relay.open(openUdp, localHost)));
  await relay.run();
}
