import type { Address } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import type { Protocol } from "../../policy/rule.ts";
import type { Egress } from "../egress.ts";
import type { Upstream } from "./upstream.ts";

const DNS_PORT = 53;

/** An egress that has this member. */
export type Able<Member extends keyof Egress> = Egress & Required<Pick<Egress, Member>>;

/** Which ways out a target may go, in the order in which they are tried. */
export class Routes {
  readonly direct: Egress;
  readonly #upstreams: readonly Upstream[];
  readonly #user: string;

  /** The ways of one user. */
  constructor(direct: Egress, upstreams: readonly Upstream[], user: string) {
    this.direct = direct;
    this.#upstreams = upstreams;
    this.#user = user;
  }

  /** Whether any way has `member`. */
  can(member: keyof Egress): boolean {
    const all = [this.direct, ...this.#upstreams.map(({ egress }) => egress)];
    return all.some((way) => way[member] !== undefined);
  }

  /** The ways that have `member`. @throws StreamError "command-unsupported" when there is none */
  able<Member extends keyof Egress>(
    member: Member,
    target: Address,
    protocol: Protocol,
  ): readonly Able<Member>[] {
    const ways = this.always(target, protocol) ?? [
      this.direct,
      ...this.fallbacks(target, protocol),
    ];
    const able = ways.filter((way): way is Able<Member> => way[member] !== undefined);
    if (able.length > 0) return able;
    throw new StreamError("command-unsupported", "This edge does not serve this for the target");
  }

  /** The upstreams that a target must go by, whatever they can do; undefined when it need not. */
  always(target: Address, protocol: Protocol): readonly Egress[] | undefined {
    const egresses = this.#taking(target, protocol, "always");
    return egresses.length > 0 ? egresses : undefined;
  }

  fallbacks(target: Address, protocol: Protocol): readonly Egress[] {
    return this.#taking(target, protocol, "fallback");
  }

  /** The ways around what the platform blocks: upstreams that are for it, then other fallbacks. */
  aroundBlock(target: Address): readonly Egress[] {
    const marked = this.#upstreams.filter(
      (it) => it.isForBlocked && it.takes(target, "tcp", this.#user),
    );
    return [...marked.map(({ egress }) => egress), ...this.fallbacks(target, "tcp")];
  }

  /** Whether no way takes datagrams but those to a DNS server. */
  get isDnsOnly(): boolean {
    return this.withUdp().every(({ isDnsOnly }) => isDnsOnly);
  }

  /** The ways that have UDP. */
  withUdp(): readonly Able<"associate">[] {
    const upstreams = this.#upstreams.filter(({ isForBlocked }) => !isForBlocked);
    return [this.direct, ...upstreams.map(({ egress }) => egress)].filter(hasUdp);
  }

  /**
   * The way of a datagram. UDP tells of no failure: a fallback is for a platform without UDP, or
   * with no more of it than DNS.
   */
  forDatagram(to: Address): Able<"associate"> | undefined {
    const ways = this.always(to, "udp") ?? [this.direct, ...this.fallbacks(to, "udp")];
    const able = ways.filter(hasUdp);
    return to.port === DNS_PORT ? able[0] : (able.find((way) => !way.isDnsOnly) ?? able[0]);
  }

  #taking(target: Address, protocol: Protocol, mode: Upstream["mode"]): Egress[] {
    return this.#upstreams
      .filter(
        (it) => !it.isForBlocked && it.mode === mode && it.takes(target, protocol, this.#user),
      )
      .map(({ egress }) => egress);
  }
}

function hasUdp(way: Egress): way is Able<"associate"> {
  return way.associate !== undefined;
}
