import type { Address } from "../../../protocol/address.ts";
import type { Policy } from "../../policy/policy.ts";
import type { Association, Deliver, Egress } from "../egress.ts";
import type { Able, Routes } from "./routes.ts";

/** Datagrams that wait for their upstream's association, which a session may have to be dialled for. */
const MAX_WAITING = 64;

interface Way {
  readonly association: Promise<Association>;
  /** Once it is open. */
  opened: Association | undefined;
  waiting: (readonly [Address, Uint8Array])[];
}

/** One association whose datagrams go different ways, each opened with the first that goes it. */
export class RoutedAssociation implements Association {
  readonly #routes: Routes;
  readonly #policy: Policy;
  readonly #deliver: Deliver;
  readonly #ways = new Map<Egress, Way>();
  #isClosed = false;
  #dropped = 0;

  private constructor(routes: Routes, policy: Policy, deliver: Deliver) {
    this.#routes = routes;
    this.#policy = policy;
    this.#deliver = deliver;
  }

  /** Opens the direct way, or without it the first upstream that has UDP. @throws why it cannot */
  static async open(routes: Routes, policy: Policy, deliver: Deliver): Promise<RoutedAssociation> {
    const association = new RoutedAssociation(routes, policy, deliver);
    const [first] = routes.withUdp();
    if (first) await association.#wayBy(first)?.association;
    return association;
  }

  get dropped(): number {
    let dropped = this.#dropped;
    for (const { opened } of this.#ways.values()) dropped += opened?.dropped ?? 0;
    return dropped;
  }

  send(to: Address, bytes: Uint8Array): void {
    const egress = this.#routes.forDatagram(to);
    const way = egress && this.#wayBy(egress);
    if (!way) return void this.#dropped++;
    // The direct way asks the policy itself, also about what a name resolves to.
    if (egress !== this.#routes.direct && !this.#isAllowed(to)) return void this.#dropped++;
    if (way.opened) way.opened.send(to, bytes);
    else if (way.waiting.length < MAX_WAITING) way.waiting.push([to, bytes.slice()]);
    else this.#dropped++;
  }

  close(): void {
    this.#isClosed = true;
    for (const { association } of this.#ways.values()) {
      association.then(
        (opened) => opened.close(),
        () => {},
      );
    }
  }

  #wayBy(egress: Able<"associate">): Way | undefined {
    const known = this.#ways.get(egress);
    if (known || this.#isClosed) return known;
    const association = egress.associate(this.#policy, this.#deliver);
    const way: Way = { association, opened: undefined, waiting: [] };
    this.#ways.set(egress, way);
    association.then(
      (opened) => this.#opened(way, opened),
      // Told by open(), or nobody's to be told: the next datagram tries again.
      () => this.#ways.delete(egress),
    );
    return way;
  }

  #opened(way: Way, association: Association): void {
    if (this.#isClosed) return;
    way.opened = association;
    for (const [to, bytes] of way.waiting) association.send(to, bytes);
    way.waiting = [];
  }

  #isAllowed(to: Address): boolean {
    try {
      // A name that only its address can decide about would have to be resolved: it is dropped.
      return this.#policy(to) !== "open";
    } catch {
      return false;
    }
  }
}
