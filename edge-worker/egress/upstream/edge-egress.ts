import { type Address, UNSPECIFIED } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import type { Session } from "../../../protocol/session.ts";
import type { Stream } from "../../../protocol/stream.ts";
import { Command } from "../../../protocol/wire.ts";
import type { Egress } from "../egress.ts";
import { EdgeAssociation } from "./edge-association.ts";

/** Gives a session with the other edge. @throws StreamError "edge-unavailable" */
export type SessionSource = () => Promise<Session>;

const nothing = new Uint8Array();

/**
 * The way out by another edge, at which this one is an agent. What that edge cannot do it refuses
 * itself, and its reasons come through as they are.
 */
export function createEdgeEgress(
  session: SessionSource,
): Omit<Required<Egress>, "forUser" | "isDnsOnly"> {
  const ask = (command: Command, address: Address, signal?: AbortSignal) =>
    open(session, command, address, signal);
  return {
    connect: async (target, _policy, signal) => {
      const { stream, bound, release } = await ask(Command.Connect, target, signal);
      release();
      return { channel: stream, bound };
    },
    listen: async (peer, _policy, signal) => {
      const { stream, bound, release } = await ask(Command.Bind, peer, signal);
      const accepted = stream.answer().then((from) => ({ channel: stream, peer: from }));
      // Awaited later; until then a rejection is nobody's fault.
      accepted.then(release, release);
      return { bound, accepted };
    },
    associate: async (_policy, deliver) => {
      const again = (): Promise<Opened> => ask(Command.UdpAssociate, UNSPECIFIED);
      const association = new EdgeAssociation(async () => (await again()).stream, deliver);
      await association.open();
      return association;
    },
    resolve: async (name, policy) => {
      const found = await finished(await ask(Command.Resolve, name));
      policy(found, name.host);
      return found;
    },
    reverse: async (address) => finished(await ask(Command.ResolvePtr, address)),
  };
}

interface Opened {
  readonly stream: Stream;
  /** The first answer. */
  readonly bound: Address;
  /** From now on the signal does not end the stream. */
  readonly release: () => void;
}

/** Opens a stream at the other edge, which is reset when `signal` aborts. */
async function open(
  session: SessionSource,
  command: Command,
  address: Address,
  signal = new AbortController().signal,
): Promise<Opened> {
  const through = await session();
  signal.throwIfAborted();
  const { stream } = through.open(command, address, nothing);
  const stop = (): void => {
    stream.abort(new StreamError("cancelled", "The stream is not wanted any more"));
  };
  const release = (): void => signal.removeEventListener("abort", stop);
  signal.addEventListener("abort", stop);
  try {
    return { stream, bound: await stream.answer(), release };
  } catch (error) {
    release();
    throw signal.aborted ? signal.reason : error;
  }
}

/** What was asked has been answered, and there is nothing to relay. */
async function finished({ stream, bound }: Opened): Promise<Address> {
  await stream.end();
  // Its end is the other edge's to say; a loss before that changes nothing of the answer.
  void drained(stream).catch(() => {});
  return bound;
}

async function drained(stream: Stream): Promise<void> {
  while ((await stream.read()) !== null);
}
