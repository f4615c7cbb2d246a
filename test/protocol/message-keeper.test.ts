import { describe, expect, it } from "vitest";
import { MessageKeeper } from "../../protocol/message-keeper.ts";
import { MESSAGE_BYTES, MessageMemory } from "../../protocol/message-memory.ts";

/** A keeper on a carrier that has done with a message when the test says so. */
function keeperOn(leavesBytes: boolean) {
  const memory = new MessageMemory();
  const sent: { message: Uint8Array; done: () => void }[] = [];
  const keeper = new MessageKeeper(
    { send: (message, done) => void sent.push({ message, done }), leavesBytes: () => leavesBytes },
    memory,
  );
  const messageOf = (length: number): Uint8Array<ArrayBuffer> =>
    new Uint8Array(keeper.take(MESSAGE_BYTES), 0, length).fill(7);
  return { keeper, memory, sent, messageOf };
}

describe("MessageKeeper.send()", () => {
  it("keeps nothing, and uses the memory again once the carrier has done", () => {
    const { keeper, memory, sent, messageOf } = keeperOn(true);
    const message = messageOf(100_000);
    keeper.send(message);
    expect(keeper.bytes).toBe(0);
    expect(memory.take(MESSAGE_BYTES)).not.toBe(message.buffer);
    sent[0]?.done();
    expect(memory.take(MESSAGE_BYTES)).toBe(message.buffer);
  });
});

describe("MessageKeeper.sendAndKeep()", () => {
  it("keeps a full message where it lies, until the carrier has done and the peer has it", () => {
    for (const isAcknowledgedFirst of [true, false]) {
      const { keeper, memory, sent, messageOf } = keeperOn(true);
      const message = messageOf(100_000);
      keeper.sendAndKeep(message, 20, 1);
      const steps = [() => keeper.acknowledge(1), () => sent[0]?.done()];
      const [first, second] = isAcknowledgedFirst ? steps : steps.toReversed();
      first?.();
      expect(memory.take(MESSAGE_BYTES)).not.toBe(message.buffer);
      second?.();
      expect(memory.take(MESSAGE_BYTES)).toBe(message.buffer);
    }
  });

  it("copies what fills little of its memory", () => {
    const { keeper, memory, sent, messageOf } = keeperOn(true);
    const message = messageOf(1000);
    keeper.sendAndKeep(message, 20, 1);
    sent[0]?.done();
    expect(memory.take(MESSAGE_BYTES)).toBe(message.buffer);
    message.fill(1);
    expect(keeper.settle(0).messages[0]?.bytes).toEqual(new Uint8Array(980).fill(7));
  });

  it("copies what its carrier masks where it lies, into memory that is used again", () => {
    const { keeper, memory, sent, messageOf } = keeperOn(false);
    const message = messageOf(100_000);
    keeper.sendAndKeep(message, 20, 1);
    message.fill(1);
    sent[0]?.done();
    const { messages } = keeper.settle(0);
    expect(messages[0]?.bytes).toEqual(new Uint8Array(99_980).fill(7));
    messages[0]?.release();
    expect([memory.take(MESSAGE_BYTES), memory.take(MESSAGE_BYTES)]).toContain(
      messages[0]?.bytes.buffer,
    );
  });
});
