import type { Connection, Egress } from "../../edge-worker/egress/egress.ts";
import { type Address, parseAddress } from "../../protocol/address.ts";
import { FakeChannel } from "./fake-channel.ts";

/** One dial of a FakeEgress: the test says how it goes. */
export class FakeDial {
  readonly target: Address;
  readonly signal: AbortSignal;
  /** Whose dial it is. */
  readonly caller: object;
  /** The connection to the target, which `succeed()` hands over. */
  readonly channel = new FakeChannel();
  readonly connection: Promise<Connection>;
  readonly #settle = Promise.withResolvers<Connection>();

  constructor(target: Address, signal: AbortSignal, caller: object) {
    this.caller = caller;
    this.target = target;
    this.signal = signal;
    this.connection = this.#settle.promise;
  }

  succeed(bound: Address = parseAddress("192.0.2.7", 4000)): void {
    this.#settle.resolve({ channel: this.channel, bound });
  }

  fail(reason: unknown): void {
    this.#settle.reject(reason);
  }
}

/** An internet that exists only as the test answers its dials. */
export class FakeEgress implements Egress {
  readonly dials: FakeDial[] = [];

  connect(
    target: Address,
    _policy: unknown,
    signal: AbortSignal,
    caller: object,
  ): Promise<Connection> {
    const dial = new FakeDial(target, signal, caller);
    this.dials.push(dial);
    return dial.connection;
  }
}
