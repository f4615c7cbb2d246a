import { describe, expect, it } from "vitest";
import { SentLog } from "../../protocol/sent-log.ts";

/** A log of messages of so many frames; `released` has the names of those given back. */
function logOf(...frames: readonly number[]): { log: SentLog; released: number[] } {
  const log = new SentLog();
  const released: number[] = [];
  for (const [name, count] of frames.entries()) {
    const bytes = Uint8Array.of(name);
    log.push({ bytes, frames: count, release: () => void released.push(name) });
  }
  return { log, released };
}

const namesOf = ({ messages }: { messages: readonly { bytes: Uint8Array }[] }) =>
  messages.map(({ bytes }) => bytes[0]);

describe("SentLog", () => {
  it("gives a message back once all its frames are acknowledged", () => {
    const { log, released } = logOf(2, 3, 1);
    log.acknowledge(4);
    expect([released, log.isEmpty]).toEqual([[0], false]);
    log.acknowledge(5);
    expect(released).toEqual([0, 1]);
    log.acknowledge(6);
    expect([released, log.isEmpty, log.bytes]).toEqual([[0, 1, 2], true, 0]);
  });

  it("passes over an ACK that says less than an earlier one", () => {
    const { log, released } = logOf(2, 3);
    log.acknowledge(2);
    log.acknowledge(0);
    expect(released).toEqual([0]);
  });

  it("refuses to count frames that were never sent [M-36]", () => {
    const { log } = logOf(2);
    const code = expect.objectContaining({ code: "ERR_FRAME_FIELD" });
    expect(() => log.acknowledge(3)).toThrow(code);
    expect(() => log.settle(3)).toThrow(code);
  });

  it("refuses to go back behind what was acknowledged [M-81]", () => {
    const { log } = logOf(2, 2);
    log.acknowledge(3);
    expect(() => log.settle(2)).toThrow(expect.objectContaining({ code: "ERR_FRAME_FIELD" }));
  });

  it.each([
    [0, [0, 1, 2], 0],
    [1, [0, 1, 2], 1],
    [2, [1, 2], 0],
    [4, [1, 2], 2],
    [6, [], 0],
  ])(
    "settles at frame %i with what is left, the first message in part",
    (received, names, skip) => {
      const { log, released } = logOf(2, 3, 1);
      const rest = log.settle(received);
      expect([namesOf(rest), rest.skip]).toEqual([names, skip]);
      // Those that are left are their new owner's to give back.
      expect(released).toEqual([0, 1, 2].filter((name) => !names.includes(name)));
      expect([log.bytes, log.isEmpty]).toEqual([0, true]);
    },
  );
});
