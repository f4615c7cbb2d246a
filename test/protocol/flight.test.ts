import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Flight } from "../../protocol/flight.ts";
import { RoundTrip } from "../../protocol/round-trip.ts";
import { MAX_DATAGRAM } from "../../protocol/wire.ts";
import { AckTimer } from "../../protocol/ack-timer.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { SEED } from "../support/arbitraries.ts";
import { SimulatedLink } from "../support/simulated-link.ts";

const FIRST = 262_144;
const FLOOR = 81_920;

describe("Flight, on a simulated link", () => {
  it.each([
    [50, 200, 1, 0.95],
    [200, 500, 1, 0.9],
    [50, 200, 10, 0.95],
    [20, 20, 1, 0.95],
    [300, 5, 1, 0.9],
    [50, 10, 1, 0.95],
    [50, 5, 10, 0.9],
    [20, 2, 1, 0.9],
  ])("fills %i ms and %i Mbit/s, with a clock of %i ms", (roundTripMs, mbit, tickMs, least) => {
    const link = new SimulatedLink({ roundTripMs, megabitsPerSecond: mbit }, tickMs);
    link.run(20 * roundTripMs);
    expect(link.run(10_000).used).toBeGreaterThanOrEqual(least);
  });

  it.each([
    [50, 200, 1],
    [50, 200, 10],
    [100, 100, 1],
    [200, 500, 1],
  ])(
    "keeps the queue of %i ms and %i Mbit/s below a round trip, for minutes",
    (rtt, mbit, tick) => {
      const link = new SimulatedLink({ roundTripMs: rtt, megabitsPerSecond: mbit }, tick);
      link.run(20 * rtt);
      expect(link.run(120_000).queueMs).toBeLessThan(rtt);
      expect(link.roundTrip.minMs).toBeLessThan(rtt * 1.3);
    },
  );

  it.each([
    [50, 20, 110],
    [50, 10, 180],
    [50, 5, 350],
    [20, 2, 700],
  ])("keeps the queue of %i ms and %i Mbit/s below %i ms on average", (rtt, mbit, mostMs) => {
    const link = new SimulatedLink({ roundTripMs: rtt, megabitsPerSecond: mbit });
    link.run(10_000);
    expect(link.run(60_000).meanQueueMs).toBeLessThan(mostMs);
  });

  it("follows a link that becomes slower, and one that becomes faster", () => {
    const way = { roundTripMs: 50, megabitsPerSecond: 200 };
    const link = new SimulatedLink(way);
    link.run(3000);
    way.megabitsPerSecond = 50;
    link.run(3000);
    expect(link.flight.available + link.flight.bytes).toBeLessThan(800_000);
    const slow = link.run(3000);
    expect(slow.used).toBeGreaterThan(0.95);
    expect(slow.queueMs).toBeLessThan(100);
    way.megabitsPerSecond = 400;
    link.run(3000);
    expect(link.run(3000).used).toBeGreaterThan(0.95);
  });

  it("finds out within half a minute that the way has become longer", () => {
    const way = { roundTripMs: 50, megabitsPerSecond: 200 };
    const link = new SimulatedLink(way);
    link.run(3000);
    way.roundTripMs = 200;
    link.run(30_000);
    expect(link.run(5000).used).toBeGreaterThan(0.9);
  });

  it("remembers what the link can do while there is little to send", () => {
    const link = new SimulatedLink({ roundTripMs: 50, megabitsPerSecond: 200 });
    link.run(3000);
    const before = link.flight.available + link.flight.bytes;
    link.run(60_000, 1000);
    const after = link.flight.available + link.flight.bytes;
    expect(after).toBeGreaterThan(before * 0.75);
    expect(link.run(1000).used).toBeGreaterThan(0.9);
  });

  it("never stops, whatever the link and the clock", () => {
    const ways = fc.record({
      roundTripMs: fc.integer({ min: 0, max: 400 }),
      megabitsPerSecond: fc.integer({ min: 1, max: 1000 }),
    });
    const property = fc.property(ways, fc.integer({ min: 1, max: 5 }), (way, tickMs) => {
      const link = new SimulatedLink(way, tickMs);
      link.run(20 * way.roundTripMs + 4000);
      const product = way.megabitsPerSecond * 125 * way.roundTripMs;
      // Beyond the carrier window no link can be filled, the simulation itself takes 2 ms or so, and a
      // round trip of a tick or two looks like none.
      const least = product > 14_000_000 ? 0.2 : way.roundTripMs < 10 ? 0.3 : 0.75;
      expect(link.run(2000 + 4 * way.roundTripMs).used).toBeGreaterThan(least);
    });
    fc.assert(property, { ...SEED, numRuns: 40 });
  });
});

describe("Flight", () => {
  const opened = (window: number): { flight: Flight; clock: { time: number } } => {
    const clock = { time: 0 };
    const flight = new Flight({ now: () => clock.time }, new RoundTrip());
    flight.open(window);
    return { flight, clock };
  };

  it("begins with 256 KiB, or the peer's window if that is less, and stays below 16 MiB", () => {
    expect(opened(2 ** 31).flight.available).toBe(FIRST);
    expect(opened(2 ** 31).flight.max).toBe(16_777_216);
    expect(opened(1000).flight.available).toBe(1000);
  });

  it("does not divide by a time that has not passed", () => {
    const { flight } = opened(16_777_216);
    for (let count = 1; count <= 100; count++) {
      flight.advance(100_000);
      flight.sent(1);
      flight.acknowledged(count * 100_000, count);
    }
    expect(flight.available).toBe(FIRST);
  });

  it("takes the ACK of an earlier message for no sign of a later one without payload", () => {
    const clock = { time: 0 };
    const roundTrip = new RoundTrip();
    const flight = new Flight({ now: () => clock.time }, roundTrip);
    flight.open(16_777_216);
    const send = (bytes: number): void => {
      flight.advance(bytes);
      flight.sent(1);
    };
    const acknowledge = (time: number, received: number, frames: number): void => {
      clock.time = time;
      flight.acknowledged(received, frames);
    };
    send(0);
    acknowledge(50, 0, 1);
    send(100);
    acknowledge(100, 100, 2);
    // A message with payload, its ACK about to come, and then one with nothing but a FIN.
    send(100);
    acknowledge(149, 100, 2);
    send(0);
    send(100);
    send(0);
    acknowledge(150, 200, 3);
    send(0);
    acknowledge(151, 200, 3);
    acknowledge(199, 300, 5);
    expect(roundTrip.minMs).toBe(50);
  });

  it("refuses an ACK of what was never sent [M-36], and passes over an old one", () => {
    const { flight } = opened(16_777_216);
    flight.advance(2000);
    flight.sent(2);
    flight.acknowledged(1500, 1);
    flight.acknowledged(1000, 1);
    expect(flight.bytes).toBe(500);
    expect(() => flight.acknowledged(2001, 2)).toThrow(
      expect.objectContaining({ code: "ERR_FRAME_FIELD" }),
    );
  });

  it("lets a stream without company have more in flight on one machine, and no more far away", () => {
    for (const [roundTripMs, times] of [
      [0.2, 2],
      [20, 1],
    ] as const) {
      const clock = { time: 0 };
      const flight = new Flight({ now: () => clock.time }, new RoundTrip());
      flight.open(16_777_216);
      for (let count = 1; count <= 100; count++) {
        flight.advance(1_000_000 * roundTripMs);
        flight.sent(1);
        clock.time += roundTripMs;
        flight.acknowledged(count * 1_000_000 * roundTripMs, count);
      }
      const { available, availableToOne } = flight;
      if (times === 1) expect(availableToOne).toBe(available);
      else expect(availableToOne).toBeGreaterThan(times * available);
    }
  });

  it("takes a round trip within a tick of the clock for a short one, and a longer one for a tick less", () => {
    const clock = { time: 0 };
    const roundTrip = new RoundTrip();
    const flight = new Flight({ now: () => clock.time, tickMs: 1 }, roundTrip);
    flight.open(16_777_216);
    // Two messages of 250 kB each millisecond, of a clock that shows whole ones.
    for (let count = 1; count <= 400; count++) {
      flight.advance(250_000);
      flight.sent(1);
      flight.acknowledged(count * 250_000, count);
      clock.time = Math.floor(count / 2);
    }
    expect(roundTrip.minMs).toBe(0);
    expect(flight.available).toBeGreaterThan(FIRST / 2);
    expect(flight.available).toBeLessThan(FIRST * 2);
    expect(flight.availableToOne).toBeGreaterThan(2 * flight.available);
    clock.time = 60_000;
    flight.acknowledged(400 * 250_000, 400);
    flight.advance(250_000);
    flight.sent(1);
    clock.time = 60_020;
    flight.acknowledged(401 * 250_000, 401);
    expect(roundTrip.minMs).toBe(19);
  });

  it("leaves no room in which a datagram waits for an ACK that is not due", () => {
    const clock = new FakeClock();
    const timer = new AckTimer(clock, () => {});
    timer.payload(FLOOR - MAX_DATAGRAM + 1);
    expect(clock.timerCount).toBe(1);
  });
});
