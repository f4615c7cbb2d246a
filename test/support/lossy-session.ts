import type { CarrierEvents } from "../../protocol/carrier.ts";
import type { Frame } from "../../protocol/frame.ts";
import type { Hello } from "../../protocol/hello.ts";
import { Link } from "../../protocol/link.ts";
import { type IncomingStream, Session } from "../../protocol/session.ts";
import { FakeClock } from "./fake-clock.ts";
import { encodeFrames } from "./frame-json.ts";

/** One direction of a carrier: messages on their way, each delivered when the test says so. */
interface Way {
  readonly messages: Uint8Array[];
  to: CarrierEvents | undefined;
  /** What arrives is thrown away: the far end has ended, or the network has. */
  isCut: boolean;
}

/** A carrier whose network is in the hands of the test: nothing moves by itself. */
export class LossyCarrier {
  readonly #clock: FakeClock;
  readonly #up: Way = { messages: [], to: undefined, isCut: false };
  readonly #down: Way = { messages: [], to: undefined, isCut: false };
  /** Every message that was sent, for an audit. */
  readonly sent: { readonly up: Uint8Array[]; readonly down: Uint8Array[] } = { up: [], down: [] };
  /** Those of them that have reached the far end. */
  readonly arrived = new Set<Uint8Array>();

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  agentEnd = (events: CarrierEvents) => this.#end(events, this.#up, this.#down, this.sent.up);
  edgeEnd = (events: CarrierEvents) => this.#end(events, this.#down, this.#up, this.sent.down);

  get underWay(): number {
    return this.#up.messages.length + this.#down.messages.length;
  }

  /** Whether both ends still have it. */
  get isWhole(): boolean {
    return !this.#up.isCut && !this.#down.isCut;
  }

  /** Delivers up to so many messages of one direction. */
  deliver(direction: "up" | "down", count: number): void {
    const way = direction === "up" ? this.#up : this.#down;
    for (const message of way.messages.splice(0, count)) {
      if (way.isCut) continue;
      this.arrived.add(message);
      way.to?.message(message);
    }
  }

  /** Puts these frames in the place of all that is under way. */
  forge(direction: "up" | "down", frames: readonly Frame[]): void {
    const way = direction === "up" ? this.#up : this.#down;
    way.messages.splice(0, Infinity, encodeFrames(...frames));
  }

  /** The network is gone: what is under way is lost, and the ends in question notice. */
  lose(noticedBy: "agent" | "edge" | "both"): void {
    for (const way of [this.#up, this.#down]) {
      way.isCut = true;
      way.messages.length = 0;
    }
    if (noticedBy !== "edge") this.#down.to?.closed(1006, "");
    if (noticedBy !== "agent") this.#up.to?.closed(1006, "");
  }

  #end(events: CarrierEvents, out: Way, back: Way, sent: Uint8Array[]) {
    back.to = events;
    return {
      leavesBytes: true,
      send: (message: Uint8Array<ArrayBuffer>, done: () => void): void => {
        const copy = message.slice();
        sent.push(copy);
        if (!out.isCut) out.messages.push(copy);
        // In a later turn, as a socket does.
        this.#clock.defer(done);
      },
      close: (code: number, reason: string): void => {
        // Messages before it are delivered, then the far end hears of it; nothing comes back.
        back.isCut = true;
        this.#clock.defer(() => {
          if (out.isCut) return;
          this.deliver(out === this.#up ? "up" : "down", Infinity);
          out.isCut = true;
          out.to?.closed(code, reason);
        });
      },
    };
  }
}

/** An agent's and an edge's session that outlive their carriers, which the test dials and loses. */
export class LossySession {
  readonly clock = new FakeClock();
  readonly carriers: LossyCarrier[] = [];
  readonly incoming: IncomingStream[] = [];
  readonly ended: { agent?: Error; edge?: Error } = {};
  agent: Session | undefined;
  edge: Session | undefined;
  readonly #agentHello: Hello;
  readonly #edgeHello: Hello;
  readonly #resumeMemory: number;

  /** `resumeMemory` is that of the edge. */
  constructor(agentHello: Hello, edgeHello: Hello, resumeMemory = 1_000_000) {
    this.#agentHello = { ...agentHello, resumeWindow: 60 };
    this.#edgeHello = { ...edgeHello, resumeWindow: 60 };
    this.#resumeMemory = resumeMemory;
  }

  /** Dials one more carrier: its HELLOs are under way as all else is. */
  dial(): LossyCarrier {
    const { clock } = this;
    const carrier = new LossyCarrier(clock);
    this.carriers.push(carrier);
    const joined = this.agent;
    const number = joined?.carriers.next() ?? 1;
    const agentHello = { ...this.#agentHello, carrier: number };
    const edgeHello = this.#edgeHello;
    const resumeMemory = this.#resumeMemory;
    new Link(
      {
        clock,
        speaksFirst: false,
        hello: () => edgeHello,
        greet: (remote, link) => {
          this.edge ??= new Session({
            clock,
            local: edgeHello,
            remote,
            resumeMemory,
            accept: (stream) => void this.incoming.push(stream),
            closed: (reason) => (this.ended.edge = reason),
          });
          this.edge.makeRoom();
          this.edge.attach(link, remote.carrier);
          return this.edge;
        },
        failed: () => {},
      },
      carrier.edgeEnd,
    );
    const link: Link = new Link(
      {
        clock,
        speaksFirst: true,
        hello: () => agentHello,
        behind: (mine) => joined?.resumption(mine),
        greet: (remote, mine) => {
          this.agent ??= new Session({
            clock,
            local: agentHello,
            remote,
            closed: (reason) => (this.ended.agent = reason),
          });
          this.agent.attach(mine, number);
          return this.agent;
        },
        failed: () => joined?.abandon(link, number),
      },
      carrier.agentEnd,
    );
    return carrier;
  }

  /** Delivers all that is under way, and what that causes, until nothing is left. */
  async settle(): Promise<void> {
    do {
      for (const carrier of this.carriers) {
        carrier.deliver("up", Infinity);
        carrier.deliver("down", Infinity);
      }
      await this.clock.run();
    } while (this.carriers.some(({ underWay }) => underWay > 0));
  }
}
