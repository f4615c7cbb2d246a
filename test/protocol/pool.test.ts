import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CarrierLoad, Pool, type PoolMember } from "../../protocol/pool.ts";
import { SEED } from "../support/arbitraries.ts";
import { SimulatedLink, type Way } from "../support/simulated-link.ts";

const AT_HOME: Way = { roundTripMs: 50, megabitsPerSecond: 200 };
const size = { least: 2, most: 4 };
const atRest: CarrierLoad = { sent: 0, received: 0, pending: 0, rate: 0, roundTripMs: 50 };

/** A carrier over a link of its own, whose source sends so many bytes a millisecond. */
class Carrier implements PoolMember {
  readonly link: SimulatedLink;
  streams = 0;
  supply = 0;

  constructor(way: Way = AT_HOME) {
    this.link = new SimulatedLink({ ...way });
    // HELLO has told the round trip.
    this.link.roundTrip.add(way.roundTripMs, 0);
  }

  get load(): CarrierLoad {
    return this.link.load;
  }
}

/** An uplink as far as it concerns the pool: it looks once a second, dials and ends carriers. */
class World {
  readonly pool = new Pool<Carrier>();
  readonly carriers: Carrier[] = [];
  readonly #way: Way;
  /** Seconds at which a carrier was dialled or ended. */
  readonly changes: { readonly at: number; readonly what: "dialled" | "ended" }[] = [];
  seconds = 0;

  constructor(way: Way = AT_HOME) {
    this.#way = way;
    this.#follow();
  }

  run(seconds: number): void {
    for (const end = this.seconds + seconds; this.seconds < end;) {
      for (const { link, supply } of this.carriers) link.run(1000, supply);
      this.seconds++;
      this.pool.look(this.carriers, this.seconds * 1000);
      this.#follow();
    }
  }

  /** Streams that are busy on so many carriers, and none on the others. */
  busy(count: number): void {
    for (const [index, carrier] of this.carriers.entries()) {
      carrier.supply = index < count ? Infinity : 0;
    }
  }

  #follow(): void {
    const surplus = this.pool.surplus(this.carriers, size);
    if (surplus) {
      this.carriers.splice(this.carriers.indexOf(surplus), 1);
      this.changes.push({ at: this.seconds, what: "ended" });
    }
    while (this.carriers.length < this.pool.wanted(size)) {
      this.carriers.push(new Carrier(this.#way));
      this.changes.push({ at: this.seconds, what: "dialled" });
    }
  }
}

const fixed = (load: Partial<CarrierLoad>, streams = 0): PoolMember => ({
  load: { ...atRest, ...load },
  streams,
});

describe("Pool.wanted()", () => {
  it("is the least while nothing moves", () => {
    const world = new World();
    world.run(100);
    expect(world.carriers).toHaveLength(2);
    expect(world.pool.isMoving).toBe(false);
  });

  it("is one more than are busy, and never more than the edge announces", () => {
    const world = new World();
    const counts = [1, 2, 3, 4].map((busy) => {
      world.busy(busy);
      world.run(4);
      return world.carriers.length;
    });
    expect(counts).toEqual([2, 3, 4, 4]);
  });

  it("is not moved by a page that loads in a second", () => {
    const world = new World();
    for (let page = 0; page < 20; page++) {
      world.busy(2);
      world.run(1);
      world.busy(0);
      world.run(9);
    }
    expect(world.carriers).toHaveLength(2);
  });

  it("is not moved by an edge that is near: another connection is no faster", () => {
    const world = new World({ roundTripMs: 2, megabitsPerSecond: 1000 });
    world.busy(2);
    world.run(30);
    expect(world.carriers).toHaveLength(2);
  });

  it("grows for a way so narrow that bytes wait, however few they are", () => {
    const world = new World({ roundTripMs: 80, megabitsPerSecond: 0.5 });
    world.busy(2);
    world.run(30);
    expect(world.carriers).toHaveLength(3);
  });

  it("comes down by one a minute once less is needed", () => {
    const world = new World();
    world.busy(2);
    world.run(4);
    world.busy(3);
    world.run(4);
    expect(world.carriers).toHaveLength(4);
    world.busy(0);
    world.run(59);
    expect(world.carriers).toHaveLength(4);
    world.run(5);
    expect(world.carriers).toHaveLength(3);
    world.run(60);
    expect(world.carriers).toHaveLength(2);
    world.run(600);
    expect(world.carriers).toHaveLength(2);
  });

  it("does not churn when a load comes and goes", () => {
    const world = new World();
    for (let turn = 0; turn < 20; turn++) {
      world.busy(2);
      world.run(20);
      world.busy(0);
      world.run(30);
    }
    expect(world.changes.filter(({ at }) => at > 0)).toEqual([{ at: 3, what: "dialled" }]);
  });

  it("leaves a minute between the last need of a carrier and its end, whatever the load", () => {
    const loads = fc.array(
      fc.record({ busy: fc.nat({ max: 4 }), seconds: fc.integer({ min: 1, max: 90 }) }),
      { minLength: 1, maxLength: 12 },
    );
    const property = fc.property(loads, (steps) => {
      const world = new World();
      for (const { busy, seconds } of steps) {
        world.busy(busy);
        world.run(seconds);
        expect(world.carriers.length).toBeGreaterThanOrEqual(size.least);
        expect(world.carriers.length).toBeLessThanOrEqual(size.most);
      }
      let dialledAt = -Infinity;
      for (const { at, what } of world.changes) {
        if (what === "ended") expect(at - dialledAt).toBeGreaterThanOrEqual(60);
        else dialledAt = at;
      }
    });
    fc.assert(property, { ...SEED, numRuns: 30 });
  });
});

describe("Pool.surplus()", () => {
  /** A pool that has seen these for two minutes, with so little moving on each. */
  const calm = (members: readonly PoolMember[]): Pool<PoolMember> => {
    const pool = new Pool<PoolMember>();
    for (let second = 0; second <= 120; second++) pool.look(members, second * 1000);
    return pool;
  };

  it("is nobody while there are no more than are wanted", () => {
    const two = [fixed({}), fixed({})];
    expect(calm(two).surplus(two, size)).toBeUndefined();
  });

  it("is the one with the fewest streams", () => {
    const three = [fixed({}, 4), fixed({}, 1), fixed({}, 2)];
    expect(calm(three).surplus(three, size)).toBe(three[1]);
  });

  it("is nobody whose bytes wait, or that nothing is known of yet", () => {
    const three = [fixed({}, 1), fixed({}, 1), fixed({ pending: 200_000, rate: 10_000 })];
    expect(calm(three).surplus(three, size)).toBe(three[0]);
    const late = [...three.slice(0, 1), fixed({ pending: 200_000 }), fixed({})];
    expect(calm(three).surplus(late, size)).toBe(late[0]);
    expect(new Pool<PoolMember>().surplus(three, size)).toBeUndefined();
  });

  it("is nobody while all of them move", () => {
    const world = new World();
    world.busy(2);
    world.run(4);
    world.busy(3);
    expect(world.pool.surplus(world.carriers, { least: 1, most: 1 })).toBe(world.carriers[2]);
    world.run(2);
    expect(world.pool.surplus(world.carriers, { least: 1, most: 1 })).toBeUndefined();
  });
});

describe("Pool.place()", () => {
  it("has nothing to choose from without a carrier", () => {
    expect(new Pool<PoolMember>().place([])).toBeUndefined();
  });

  it("spreads streams that come at once", () => {
    const carriers = [new Carrier(), new Carrier(), new Carrier()];
    const pool = new Pool<Carrier>();
    for (let stream = 0; stream < 30; stream++) {
      const chosen = pool.place(carriers);
      if (chosen) chosen.streams++;
    }
    expect(carriers.map(({ streams }) => streams)).toEqual([10, 10, 10]);
  });

  it("takes the carrier at rest beside one that uploads, whatever their streams", () => {
    const world = new World();
    world.busy(1);
    world.run(5);
    const [, second] = world.carriers;
    if (second) second.streams = 20;
    expect(world.pool.place(world.carriers)).toBe(second);
  });

  it("takes the carrier at rest beside one that downloads", () => {
    const pool = new Pool<PoolMember>();
    for (let second = 1; second <= 3; second++) {
      pool.look([fixed({})], second * 1000);
    }
    const idle = fixed({}, 9);
    let received = 0;
    const loading: PoolMember = {
      get load() {
        return { ...atRest, received };
      },
      streams: 1,
    };
    for (let second = 4; second <= 8; second++, received += 5_000_000) {
      pool.look([loading, idle], second * 1000);
    }
    expect(pool.place([loading, idle])).toBe(idle);
  });

  it("takes the one whose queue is shorter in time, not in bytes", () => {
    const fast = fixed({ pending: 4_000_000, rate: 40_000 }, 5);
    const slow = fixed({ pending: 400_000, rate: 1000 });
    expect(new Pool<PoolMember>().place([slow, fast])).toBe(fast);
  });

  it("takes a nearer edge's carrier only when it is much nearer", () => {
    const [far, near, nearly] = [
      fixed({ roundTripMs: 100 }),
      fixed({ roundTripMs: 30 }, 7),
      fixed({ roundTripMs: 97 }, 7),
    ];
    expect(new Pool<PoolMember>().place([far, near])).toBe(near);
    expect(new Pool<PoolMember>().place([far, nearly])).toBe(far);
  });

  it("takes one of which nothing was measured yet", () => {
    const fresh = fixed({ roundTripMs: undefined, pending: 100_000 }, 1);
    expect(new Pool<PoolMember>().place([fixed({}, 2), fresh])).toBe(fresh);
  });
});
