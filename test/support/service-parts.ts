import type { Deliver, Egress, Listening } from "../../edge-worker/egress/egress.ts";
import type { Policy } from "../../edge-worker/policy/policy.ts";
import { type Address, formatAddress, parseAddress } from "../../protocol/address.ts";
import { type BridgeChanges, greetedBridge } from "./bridge-parts.ts";
import { FakeChannel } from "./fake-channel.ts";
import { FakeEgress } from "./fake-egress.ts";
import { fateOf } from "./stream-bytes.ts";
import { toHex } from "./hex.ts";

const nothing = new Uint8Array();

/** One BIND of a FullEgress: the test says who comes, and when. */
export class FakeListening {
  readonly peer: Address;
  readonly signal: AbortSignal;
  readonly latest: Address | undefined;
  readonly channel = new FakeChannel();
  readonly #accepted = Promise.withResolvers<{ channel: FakeChannel; peer: Address }>();

  constructor(peer: Address, signal: AbortSignal, latest?: Address) {
    this.peer = peer;
    this.latest = latest;
    this.signal = signal;
    signal.addEventListener("abort", () => this.fail(signal.reason));
    this.#accepted.promise.catch(() => {});
  }

  get listening(): Listening {
    return { bound: parseAddress("192.0.2.7", 4000), accepted: this.#accepted.promise };
  }

  accept(peer: Address): void {
    this.#accepted.resolve({ channel: this.channel, peer });
  }

  fail(reason: unknown): void {
    this.#accepted.reject(reason);
  }
}

/** One association of a FullEgress. */
export class FakeAssociation {
  readonly policy: Policy;
  /** A datagram comes in from outside. */
  readonly deliver: Deliver;
  /** "address hex" of each datagram that was sent. */
  readonly sent: string[] = [];
  closeCount = 0;
  dropped = 0;

  constructor(policy: Policy, deliver: Deliver) {
    this.policy = policy;
    this.deliver = deliver;
  }

  send(to: Address, bytes: Uint8Array): void {
    this.sent.push(`${formatAddress(to)} ${toHex(bytes)}`);
  }

  close(): void {
    this.closeCount++;
  }
}

/** A FakeEgress that can do all an edge may be asked for. */
export class FullEgress extends FakeEgress implements Egress {
  readonly listenings: FakeListening[] = [];
  readonly associations: FakeAssociation[] = [];
  /** What was looked up, each settled by the test. */
  readonly lookups: { readonly what: Address; readonly answer: PromiseWithResolvers<Address> }[] =
    [];
  /** Set to let listen() or associate() fail. */
  failure: Error | undefined;

  readonly listen = async (
    peer: Address,
    _policy: Policy,
    signal: AbortSignal,
    latest?: Address,
  ): Promise<Listening> => {
    if (this.failure) throw this.failure;
    const fake = new FakeListening(peer, signal, latest);
    this.listenings.push(fake);
    return fake.listening;
  };

  readonly associate = async (policy: Policy, deliver: Deliver): Promise<FakeAssociation> => {
    if (this.failure) throw this.failure;
    const fake = new FakeAssociation(policy, deliver);
    this.associations.push(fake);
    return fake;
  };

  readonly resolve = (name: Address): Promise<Address> => this.#look(name);
  readonly reverse = (address: Address): Promise<Address> => this.#look(address);

  #look(what: Address): Promise<Address> {
    const answer = Promise.withResolvers<Address>();
    this.lookups.push({ what, answer });
    return answer.promise;
  }
}

/** A bridge whose egress can do everything, serving its agent's only stream. */
export async function servingBridge(
  command: number,
  address: Address,
  policy: Policy = () => undefined,
  { egress = new FullEgress(), ...changes }: BridgeChanges & { egress?: FullEgress } = {},
) {
  const parts = await greetedBridge({ ...changes, egress, policy });
  const { stream } = parts.session.open(command, address, nothing);
  const first = fateOf(stream.answer());
  await parts.clock.run();
  return { ...parts, egress, stream, first };
}
