import type { Clock } from "../../protocol/clock.ts";
import { CarrierError, ProtocolError, reasonOf } from "../../protocol/errors.ts";
import type { Session } from "../../protocol/session.ts";
import { Capability, Command } from "../../protocol/wire.ts";
import { KnownTargets } from "./known-targets.ts";
import type { ClientRequest } from "./request.ts";

/** A session to open a user's streams in, or StreamError "edge-unavailable". */
export type OpenSession = (user: string | undefined) => Promise<Session>;

/** One edge to ask. */
export interface Way {
  readonly session: OpenSession;
  /** Bits of `Capability` of which the edge must have said one. */
  readonly needs: number;
}

const ANY_UDP = Capability.UdpNative | Capability.UdpDns;

/** Which edges a request is taken to: the first, and a fallback for what that one cannot do. */
export class Ways {
  readonly #first: OpenSession;
  readonly #fallback: OpenSession | undefined;
  /** The targets that the first cannot reach for reasons of its platform. */
  readonly #blocked: KnownTargets;

  constructor(clock: Clock, first: OpenSession, fallback?: OpenSession) {
    this.#first = first;
    this.#fallback = fallback;
    this.#blocked = new KnownTargets(clock);
  }

  /** In the order in which they are asked. */
  of({ command, address }: Pick<ClientRequest, "command" | "address">): readonly Way[] {
    const first = this.#first;
    const fallback = this.#fallback;
    const isUdp = command === Command.UdpAssociate;
    if (!fallback) return [{ session: first, needs: isUdp ? ANY_UDP : 0 }];
    if (isUdp) {
      return [
        // Of an association nobody knows at its start whether all of it will be DNS.
        { session: first, needs: Capability.UdpNative },
        { session: fallback, needs: ANY_UDP },
        { session: first, needs: ANY_UDP },
      ];
    }
    const order = this.#blocked.has(address) ? [fallback, first] : [first, fallback];
    return order.map((session) => ({ session, needs: 0 }));
  }

  /** Remembers what an attempt by the first way has shown of the target. */
  learn({ address }: Pick<ClientRequest, "address">, error: unknown): void {
    if (this.#fallback && reasonOf(error) === "platform-blocked") this.#blocked.add(address);
  }
}

/**
 * Whether another edge may be asked after this failure: when the edge, and not the target, is what
 * it is about. `hasSent`: bytes of the client are under way, which a second target must not get.
 */
export function isOfEdge(error: unknown, hasSent: boolean): boolean {
  const reason = reasonOf(error);
  if (reason === "platform-blocked" || reason === "command-unsupported") return true;
  if (reason !== "edge-unavailable") return false;
  // The edge has said so itself, or was not even asked, unless the session was lost meanwhile.
  const cause = error instanceof Error ? error.cause : undefined;
  const isLost = cause instanceof CarrierError || cause instanceof ProtocolError;
  return !(isLost && hasSent);
}
