import { describe, expect, it } from "vitest";
import { GrowingWindow, GrowthBudget } from "../../protocol/growing-window.ts";
import { PayloadMemory } from "../../protocol/payload-memory.ts";
import { shed } from "../../protocol/shed.ts";
import { Stream } from "../../protocol/stream.ts";
import { FakeClock } from "../support/fake-clock.ts";

const clock = new FakeClock();
const windowOptions = {
  clock,
  budget: new GrowthBudget(1_000_000, () => 0),
  roundTripMs: () => undefined,
};

/** Streams by which so many bytes have come, and so many wait to be sent; and the ids of those reset. */
function streamsOf(...holdings: readonly (readonly [unread: number, unsent: number])[]) {
  const reset: number[] = [];
  const streams = holdings.map(([unread, unsent], index) => {
    const stream = new Stream({
      id: index + 1,
      port: {
        control: () => {},
        ready: () => {},
        grantDue: () => {},
        datagram: () => false,
        consumed: () => {},
        streamClosed: ({ id }) => void reset.push(id),
      },
      sendCredit: 0,
      window: new GrowingWindow(100_000, windowOptions),
      memory: new PayloadMemory(),
    });
    if (unread > 0) stream.handleData(new Uint8Array(unread));
    stream.write(new Uint8Array(unsent)).catch(() => {});
    return stream;
  });
  return { streams, reset };
}

describe("shed()", () => {
  it("resets those that hold most, be it unread or unsent, and no more than it has to", () => {
    const { streams, reset } = streamsOf([100, 0], [0, 900], [300, 300], [0, 50]);
    shed(streams, 1000);
    expect(reset).toEqual([2, 3]);
  });

  it("resets none where nothing is too much", () => {
    const { streams, reset } = streamsOf([100, 0], [0, 900]);
    shed(streams, 0);
    expect(reset).toEqual([]);
  });
});
