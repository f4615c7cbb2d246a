import { describe, expect, it } from "vitest";
import { DatagramQueue, MAX_QUEUED_BYTES } from "../../protocol/datagram-queue.ts";
import type { DatagramFrame } from "../../protocol/stream.ts";
import { FrameType } from "../../protocol/wire.ts";

const address = { kind: "ipv4", host: "127.0.0.1", port: 53 } as const;
const datagram = (bytes: Uint8Array, streamId = 1): DatagramFrame => ({
  type: FrameType.Datagram,
  streamId,
  address,
  bytes,
});

describe("DatagramQueue", () => {
  it("gives back datagrams in order, however many came and went", () => {
    const queue = new DatagramQueue();
    const seen: (number | undefined)[] = [];
    for (let i = 0; i < 100; i++) {
      queue.push(datagram(Uint8Array.of(i)));
      queue.push(datagram(Uint8Array.of(i + 100)));
      seen.push(queue.peek(1)?.bytes[0]);
      queue.shift();
    }
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => (i >> 1) + (i % 2) * 100));
  });

  it("keeps its own copy of the payload", () => {
    const queue = new DatagramQueue();
    const bytes = Uint8Array.of(1, 2, 3);
    queue.push(datagram(bytes));
    bytes.fill(9);
    expect(queue.peek(3)?.bytes).toEqual(Uint8Array.of(1, 2, 3));
  });

  it("holds back a datagram that is larger than what may be sent", () => {
    const queue = new DatagramQueue();
    queue.push(datagram(new Uint8Array(1200)));
    expect(queue.peek(1199)).toBeUndefined();
    expect(queue.peek(1200)).toBeDefined();
  });

  it.each([0, 1, 1200, 65_507])("drops a flood of %i bytes each, and counts it", (size) => {
    const queue = new DatagramQueue();
    let taken = 0;
    for (let i = 0; i < 10_000; i++) if (queue.push(datagram(new Uint8Array(size)))) taken++;
    expect(taken * size).toBeLessThanOrEqual(MAX_QUEUED_BYTES);
    expect(taken).toBeLessThan(5000);
    expect(queue.dropped).toBe(10_000 - taken);
  });

  it("leaves room for others, whoever floods", () => {
    const queue = new DatagramQueue(100_000);
    const taken = [1, 2, 3, 4].map((streamId) => {
      let count = 0;
      for (let i = 0; i < 1000; i++)
        if (queue.push(datagram(new Uint8Array(36), streamId))) count++;
      return count * 100;
    });
    // Each may have what is still free: half of all, half of the rest ...
    expect(taken).toEqual([50_000, 25_000, 12_500, 6300]);
  });

  it("has all its room again once it is empty", () => {
    const queue = new DatagramQueue(10_000);
    for (let round = 0; round < 5; round++) {
      let count = 0;
      while (queue.push(datagram(new Uint8Array(936), round))) count++;
      expect(count).toBe(5);
      while (queue.peek(936)) queue.shift();
    }
  });
});
