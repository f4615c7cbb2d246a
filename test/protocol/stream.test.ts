import { describe, expect, it } from "vitest";
import { ReceiveWindow } from "../../protocol/credit.ts";
import { StreamError } from "../../protocol/errors.ts";
import type { Frame } from "../../protocol/frame.ts";
import { PayloadMemory } from "../../protocol/payload-memory.ts";
import { Stream } from "../../protocol/stream.ts";
import { FrameType } from "../../protocol/wire.ts";
import { hex, toHex } from "../support/hex.ts";
import { fateOf } from "../support/stream-bytes.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const bound = { kind: "ipv4", host: "192.0.2.1", port: 80 } as const;
const memory = new PayloadMemory();

interface Recorded {
  readonly stream: Stream;
  readonly frames: Frame[];
  /** "ready", "grantDue", "closed" and the numbers of bytes given back, in order. */
  readonly calls: (string | number)[];
}

function recorded(sendCredit = 10, receiveWindow = 10): Recorded {
  const frames: Frame[] = [];
  const calls: (string | number)[] = [];
  const port = {
    control: (frame: Frame) => void frames.push(frame),
    ready: () => void calls.push("ready"),
    grantDue: () => void calls.push("grantDue"),
    datagram: (frame: Frame) => frames.push(frame) < 3,
    consumed: (bytes: number) => void calls.push(bytes),
    streamClosed: () => void calls.push("closed"),
  };
  const window = new ReceiveWindow(receiveWindow);
  return { stream: new Stream({ id: 7, port, sendCredit, window, memory }), frames, calls };
}
const sum = (calls: readonly (string | number)[]): number =>
  calls.reduce<number>((total, call) => total + (typeof call === "number" ? call : 0), 0);

describe("Stream datagrams", () => {
  const from = { kind: "ipv4", host: "127.0.0.1", port: 53 } as const;

  it("go to the handler, and nowhere before there is one", () => {
    const { stream } = recorded();
    const taken: unknown[] = [];
    stream.handleDatagram(from, hex("01"));
    stream.onDatagram((address, bytes) => taken.push([address, toHex(bytes)]));
    stream.handleDatagram(from, hex("02"));
    expect(taken).toEqual([[from, "02"]]);
  });

  it("leave with the stream's id, and not after its end", () => {
    const { stream, frames } = recorded();
    expect(stream.sendDatagram(from, hex("03"))).toBe(true);
    stream.fail(new Error("over"));
    expect(stream.sendDatagram(from, hex("04"))).toBe(false);
    expect(frames).toEqual([{ type: 0x17, streamId: 7, address: from, bytes: hex("03") }]);
  });
});

describe("Stream.sendDatagram()", () => {
  it("tells of a datagram that is dropped: one too large, one that finds no room", () => {
    const { stream } = recorded();
    const to = { kind: "ipv6", host: "::1", port: 53 } as const;
    expect(stream.sendDatagram(to, new Uint8Array(65_508))).toBe(false);
    const sent = [1, 2, 3].map(() => stream.sendDatagram(to, hex("01")));
    expect(sent).toEqual([true, true, false]);
  });
});

describe("Stream.answer()", () => {
  it("tells what the peer's OPENED says, whichever comes first", async () => {
    const { stream } = recorded();
    const early = stream.answer();
    stream.handleOpened(bound);
    expect(await early).toEqual(bound);
    stream.handleOpened({ ...bound, port: 81 });
    expect(await stream.answer()).toEqual({ ...bound, port: 81 });
  });

  it("passes over a third OPENED", async () => {
    const { stream } = recorded();
    for (let times = 0; times < 3; times++) stream.handleOpened(bound);
    expect([await stream.answer(), await stream.answer()]).toEqual([bound, bound]);
    const third = fateOf(stream.answer());
    await turn();
    expect(third.now).toBe("pending");
  });

  it("rejects with the reason of FAILED, of RESET and of a lost carrier", async () => {
    const lost = new StreamError("edge-unavailable", "lost");
    const cases: [string, (stream: Stream) => void][] = [
      ["name-not-found", (stream) => stream.handleFailed("name-not-found", "no such name")],
      ["timed-out", (stream) => stream.handleReset("timed-out")],
      ["edge-unavailable", (stream) => stream.fail(lost)],
    ];
    for (const [reason, fail] of cases) {
      const { stream } = recorded();
      const asked = stream.answer();
      fail(stream);
      await expect(asked).rejects.toMatchObject({ reason });
      await expect(stream.answer()).rejects.toMatchObject({ reason });
    }
  });

  it("rejects when both directions end without an answer, also when it is asked afterwards", async () => {
    const { stream } = recorded();
    const before = fateOf(stream.answer());
    await stream.end();
    stream.handleFin(0);
    const after = fateOf(stream.answer());
    await turn();
    expect(before.now).toBeInstanceOf(StreamError);
    expect(after.now).toBeInstanceOf(StreamError);
  });
});

describe("Stream.confirm() and refuse()", () => {
  it("send OPENED and FAILED", () => {
    const { stream, frames, calls } = recorded();
    stream.confirm(bound);
    stream.refuse("denied", "no");
    const failed = { type: FrameType.Failed, streamId: 7, reason: "denied", text: "no" };
    expect(frames).toEqual([{ type: FrameType.Opened, streamId: 7, bound }, failed]);
    expect(calls).toEqual(["closed"]);
  });

  it("say nothing once the stream has closed", () => {
    const { stream, frames } = recorded();
    stream.handleReset("cancelled");
    stream.confirm(bound);
    stream.refuse("denied", "no");
    expect(frames).toEqual([]);
  });
});

describe("Stream.write()", () => {
  it("asks for a turn when it has credit, and when credit comes", () => {
    const { stream, calls } = recorded(2);
    void stream.write(hex("010203"));
    stream.take(2);
    expect([calls, stream.sendable]).toEqual([["ready"], 0]);
    stream.handleCredit(3);
    expect([calls, stream.sendable]).toEqual([["ready", "ready"], 1]);
  });

  it("rejects after end() and after a failure", async () => {
    const ended = recorded().stream;
    await ended.end();
    await expect(ended.write(hex("01"))).rejects.toMatchObject({ code: "ERR_WRITE_AFTER_END" });
    const failed = recorded().stream;
    failed.handleReset("timed-out");
    await expect(failed.write(hex("01"))).rejects.toMatchObject({ reason: "timed-out" });
  });
});

describe("Stream.end()", () => {
  it("sends FIN with the final offset once, early data included [M-46]", async () => {
    const { stream, frames } = recorded();
    stream.countEarly(2);
    void stream.write(hex("010203"));
    stream.take(3);
    await stream.end();
    await stream.end();
    expect(frames).toEqual([{ type: FrameType.Fin, streamId: 7, finalOffset: 5 }]);
  });

  it("does not put FIN before bytes of a write that is pending [M-61]", async () => {
    const { stream, frames } = recorded(2);
    stream.write(hex("010203")).catch(() => {});
    stream.take(2);
    stream.end().catch(() => {});
    await turn();
    expect(frames).toEqual([]);
    stream.handleCredit(10);
    stream.take(1);
    await turn();
    expect(frames).toEqual([{ type: FrameType.Fin, streamId: 7, finalOffset: 3 }]);
  });

  it("closes the stream only when the other direction has ended too", async () => {
    const { stream, calls } = recorded();
    await stream.end();
    expect(calls).toEqual([]);
    stream.handleData(hex("01"));
    stream.handleFin(1);
    expect(calls).toEqual(["closed"]);
    expect([await stream.read(), await stream.read()]).toEqual([hex("01"), null]);
  });
});

describe("Stream.abort()", () => {
  it("sends RESET with the reason once, and fails both halves [M-49]", async () => {
    const { stream, frames, calls } = recorded();
    const reading = stream.read();
    const writing = stream.write(hex("01"));
    stream.abort(new StreamError("cancelled", "enough"));
    stream.abort(new StreamError("denied", "again"));
    expect(frames).toEqual([{ type: FrameType.Reset, streamId: 7, reason: "cancelled" }]);
    await expect(reading).rejects.toThrow("enough");
    await expect(writing).rejects.toThrow("enough");
    await stream.end();
    expect([frames.length, calls.at(-1), stream.sendable]).toEqual([1, "closed", 0]);
  });

  it("says connection-reset for an error that has no reason", () => {
    const { stream, frames } = recorded();
    stream.abort(new Error("EPIPE"));
    expect(frames).toMatchObject([{ reason: "connection-reset" }]);
  });

  it("resets a stream of which one half has ended", async () => {
    const { stream, frames } = recorded();
    await stream.end();
    stream.abort(new Error("gone"));
    expect(frames.map(({ type }) => type)).toEqual([FrameType.Fin, FrameType.Reset]);
  });

  it("gives back the session credit of what is unread [M-48]", () => {
    const { stream, calls } = recorded();
    stream.handleData(hex("010203"));
    stream.abort(new Error("gone"));
    expect(sum(calls)).toBe(3);
  });

  it("gives it back when both directions had ended before, without a frame [M-59]", async () => {
    const { stream, frames, calls } = recorded();
    stream.handleData(hex("010203"));
    stream.handleFin(3);
    await stream.end();
    frames.length = 0;
    stream.abort(new Error("The local client has gone"));
    expect([sum(calls), frames]).toEqual([3, []]);
  });

  it("gives back the chunk that its reader still has, when both directions had ended [M-59]", async () => {
    const { stream, calls } = recorded();
    stream.handleData(hex("010203"));
    stream.handleFin(3);
    await stream.end();
    await stream.read();
    stream.abort(new Error("The local client has gone"));
    expect(sum(calls)).toBe(3);
  });

  it("wakes its reader even when it is given no reason", async () => {
    const { stream } = recorded();
    const waiting = fateOf(stream.read());
    stream.abort(undefined);
    const later = fateOf(stream.read());
    await turn();
    expect([waiting.now === "pending", later.now === "pending"]).toEqual([false, false]);
  });
});

describe("Stream.onceFailed()", () => {
  it("calls back when the stream fails, at once if it has", () => {
    const { stream } = recorded();
    const seen: unknown[] = [];
    stream.onceFailed((reason) => seen.push(reason));
    expect(seen).toEqual([]);
    stream.handleReset("cancelled");
    stream.onceFailed((reason) => seen.push(reason));
    stream.fail(new Error("again"));
    expect(seen).toMatchObject([{ reason: "cancelled" }, { reason: "cancelled" }]);
  });
});

describe("Stream.grant()", () => {
  it("is due when half the window has been read, and not after FIN [M-56]", async () => {
    const { stream, calls } = recorded(10, 4);
    stream.handleData(hex("0102"));
    stream.handleData(hex("03"));
    await stream.read();
    expect([calls, stream.grant()]).toEqual([[], undefined]);
    await stream.read();
    expect([calls, stream.grant()]).toEqual([[2, "grantDue"], { received: 3, limit: 6 }]);
    expect(stream.grant()).toBeUndefined();
    stream.handleData(hex("04"));
    stream.handleFin(4);
    await stream.read();
    expect(stream.grant()).toBeUndefined();
  });
});
