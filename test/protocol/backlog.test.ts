import { describe, expect, it } from "vitest";
import { Backlog } from "../../protocol/backlog.ts";
import type { Frame } from "../../protocol/frame.ts";
import type { SentMessage } from "../../protocol/sent-log.ts";
import { FrameType } from "../../protocol/wire.ts";
import { encodeFrames } from "../support/frame-json.ts";
import { hex } from "../support/hex.ts";

const { Data, Fin } = FrameType;
const data = (streamId: number, bytes: string): Frame => ({
  type: Data,
  streamId,
  bytes: hex(bytes),
});
const fin: Frame = { type: Fin, streamId: 1, finalOffset: 3 };

function messageOf(released: string[], name: string, ...frames: readonly Frame[]): SentMessage {
  return {
    bytes: encodeFrames(...frames),
    frames: frames.length,
    release: () => void released.push(name),
  };
}

function framesOf(backlog: Backlog): Frame[] {
  const frames: Frame[] = [];
  for (let frame = backlog.peek(); frame; frame = backlog.peek()) {
    frames.push(frame);
    backlog.shift();
  }
  return frames;
}

describe("Backlog", () => {
  it("gives the frames of all messages in order, less those skipped, and the memory back", () => {
    const released: string[] = [];
    const backlog = new Backlog();
    backlog.add(messageOf(released, "a", data(1, "01"), data(1, "0203")), 1);
    backlog.add(messageOf(released, "b", fin), 0);
    expect([released, backlog.isEmpty]).toEqual([[], false]);
    expect(framesOf(backlog)).toEqual([data(1, "0203"), fin]);
    expect([released, backlog.isEmpty, backlog.bytes]).toEqual([["a", "b"], true, 0]);
  });

  it("gives a message back at once of which all is skipped", () => {
    const released: string[] = [];
    const backlog = new Backlog();
    backlog.add(messageOf(released, "a", fin), 1);
    expect([released, backlog.isEmpty, backlog.bytes]).toEqual([["a"], true, 0]);
  });

  it("cuts a DATA frame, and keeps the rest for later", () => {
    const backlog = new Backlog();
    backlog.add(messageOf([], "a", data(1, "010203")), 0);
    expect(backlog.cut(2)).toEqual(hex("0102"));
    expect(framesOf(backlog)).toEqual([data(1, "03")]);
  });

  it("goes on with another backlog behind its own", () => {
    const [first, second] = [new Backlog(), new Backlog()];
    first.add(messageOf([], "a", data(1, "01")), 0);
    second.add(messageOf([], "b", data(2, "0203"), fin), 0);
    second.cut(1);
    first.append(second);
    expect(framesOf(first)).toEqual([data(1, "01"), data(2, "03"), fin]);
    expect(first.bytes).toBe(0);
  });
});
