import type { FilteredAssociationOptions } from "../filtered-association.ts";
import { FilteredAssociation } from "../filtered-association.ts";
import type { Association } from "../egress.ts";
import { reasonOf } from "../../../protocol/errors.ts";
import type { Family, OutletEvents } from "../outlet.ts";
import { TurnOutlet } from "./turn-outlet.ts";
import type { TurnServer } from "./turn-server.ts";

/**
 * An association that leaves by the relays of a TURN server. The first of them is allocated here,
 * so that whoever asks for UDP is told when there is none.
 *
 * @throws StreamError
 */
export async function openTurnAssociation(
  server: TurnServer,
  options: Omit<FilteredAssociationOptions, "openOutlet">,
): Promise<Association> {
  const early = new EarlyOutlets(server);
  const association = new FilteredAssociation({
    ...options,
    openOutlet: (family, events) => early.take(family, events),
  });
  try {
    await early.open(4).catch((error: unknown) => {
      // A server for IPv6 alone is a server, too.
      if (reasonOf(error) !== "address-unsupported") throw error;
      return early.open(6);
    });
  } catch (error) {
    early.close();
    throw error;
  }
  return {
    get dropped() {
      return association.dropped;
    },
    send: (to, bytes) => association.send(to, bytes),
    close: () => {
      association.close();
      early.close();
    },
  };
}

/** Outlets that are there before anything is sent; each is taken once. */
class EarlyOutlets {
  readonly #server: TurnServer;
  readonly #outlets = new Map<Family, { outlet: TurnOutlet; events: OutletEvents | undefined }>();

  constructor(server: TurnServer) {
    this.#server = server;
  }

  open(family: Family): Promise<void> {
    const entry: { outlet: TurnOutlet; events: OutletEvents | undefined } = {
      outlet: new TurnOutlet(this.#server, family, {
        // Before it is taken nothing was sent, and so nothing can come.
        take: (from, bytes) => entry.events?.take(from, bytes),
        ended: () => {
          if (entry.events) entry.events.ended();
          else this.#outlets.delete(family);
        },
      }),
      events: undefined,
    };
    this.#outlets.set(family, entry);
    return entry.outlet.ready();
  }

  take(family: Family, events: OutletEvents): TurnOutlet {
    const entry = this.#outlets.get(family);
    if (!entry) return new TurnOutlet(this.#server, family, events);
    this.#outlets.delete(family);
    entry.events = events;
    return entry.outlet;
  }

  close(): void {
    for (const { outlet } of this.#outlets.values()) outlet.close();
    this.#outlets.clear();
  }
}
