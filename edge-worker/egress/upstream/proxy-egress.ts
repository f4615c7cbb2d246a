import type { Address } from "../../../protocol/address.ts";
import type { ByteChannel } from "../../../protocol/channel.ts";
import { messageOf, StreamError } from "../../../protocol/errors.ts";
import type { Connection, Egress } from "../egress.ts";

export interface ProxyOptions {
  /** How the proxy itself is reached. */
  readonly direct: Egress;
  readonly address: Address;
  /** Asks the proxy at the other end of a fresh connection for the target. */
  readonly ask: (proxy: ByteChannel, target: Address) => Promise<Connection>;
}

/**
 * The way out by a proxy: a connection to it for each target. That it cannot be reached, or is of
 * no use, fails with "edge-unavailable", which says nothing of the target.
 */
export function createProxyEgress({ direct, address, ask }: ProxyOptions): Egress {
  return {
    connect: async (target, _policy, signal, caller) => {
      const proxy = await reach(direct, address, signal, caller);
      const stop = (): void => proxy.abort(signal.reason);
      signal.addEventListener("abort", stop);
      try {
        signal.throwIfAborted();
        return await ask(proxy, target);
      } catch (error) {
        proxy.abort(error);
        throw signal.aborted ? signal.reason : failureOf(error);
      } finally {
        signal.removeEventListener("abort", stop);
      }
    },
  };
}

async function reach(
  direct: Egress,
  address: Address,
  signal: AbortSignal,
  caller: object,
): Promise<ByteChannel> {
  try {
    // The operator has named it, so the policy for what agents name is not asked.
    return (await direct.connect(address, () => undefined, signal, caller)).channel;
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    const why = cause instanceof StreamError ? cause.reason : messageOf(cause);
    throw unavailable(`it cannot be reached (${why})`, cause);
  }
}

/** What the proxy says of the target goes through; what went wrong with the proxy itself does not. */
function failureOf(error: unknown): StreamError {
  if (error instanceof StreamError && error.reason !== "connection-reset") return error;
  return unavailable(messageOf(error), error);
}

function unavailable(why: string, cause: unknown): StreamError {
  const text = why.startsWith("Cannot ") ? why : `Cannot use the upstream: ${why}`;
  return new StreamError("edge-unavailable", text, { cause });
}
