import { describe, expect, it } from "vitest";
import {
  edgeLimits,
  helloOf,
  processLimits,
  noResumption,
  resumptionDefaults,
} from "../../edge-worker/limits.ts";
import { ByteWriter } from "../../protocol/bytes.ts";
import { decodeHello, encodeHello } from "../../protocol/hello.ts";
import { Capability, MAX_PAYLOAD, PROTOCOL_VERSION } from "../../protocol/wire.ts";

/** What a Worker isolate may use at most. */
const ISOLATE_BYTES = 128 * 1024 * 1024;

describe("edgeLimits", () => {
  it("keeps what a session may leave here far below an isolate's memory", () => {
    expect(edgeLimits.sessionWindow).toBeLessThanOrEqual(ISOLATE_BYTES / 2);
    expect(edgeLimits.streamWindow).toBeLessThanOrEqual(edgeLimits.sessionWindow);
    expect(edgeLimits.carrierWindow).toBeLessThanOrEqual(edgeLimits.sessionWindow);
  });

  it("has room for a whole OPEN, and for more than one carrier", () => {
    expect(edgeLimits.streamWindow).toBeGreaterThanOrEqual(65_536);
    expect(edgeLimits.carrierWindow).toBeGreaterThanOrEqual(MAX_PAYLOAD);
    expect(edgeLimits.maxCarriers).toBeGreaterThan(1);
    expect(helloOf(edgeLimits, noResumption, 0, "", "")).toMatchObject({
      maxCarriers: 1,
      resumeWindow: 0,
    });
  });
});

describe("processLimits", () => {
  it("differ in nothing but the number of streams, for which a process has the memory", () => {
    expect(processLimits).toEqual({ ...edgeLimits, maxStreams: processLimits.maxStreams });
    expect(processLimits.maxStreams).toBeGreaterThan(10_000);
  });
});

describe("helloOf()", () => {
  it.each([
    [2, 1],
    [4, 2],
    [8, 4],
    [64, 4],
  ])("lets %i MiB of memory to resume have %i carriers", (mebibytes, maxCarriers) => {
    const resumption = { resumeWindow: 60, resumeMemory: mebibytes * 1_048_576 };
    expect(helloOf(edgeLimits, resumption, 0, "", "")).toMatchObject({ maxCarriers });
  });

  it("states the limits, the runtime and the place, and goes over the wire", () => {
    const hello = helloOf(edgeLimits, resumptionDefaults, Capability.Resolve, "node", "AMS");
    expect(hello).toMatchObject({ ...edgeLimits, version: PROTOCOL_VERSION });
    expect(hello).toMatchObject({ runtime: "node", place: "AMS" });
    const writer = new ByteWriter();
    encodeHello(writer, { ...hello, session: Uint8Array.of(7) });
    expect(decodeHello(writer.take())).toEqual({ ...hello, session: Uint8Array.of(7) });
  });

  it("announces what the edge can do, and for how long it keeps a session", () => {
    const capabilities = Capability.Bind | Capability.UdpNative;
    const hello = helloOf(edgeLimits, resumptionDefaults, capabilities, "node", "");
    expect(hello).toMatchObject({ capabilities, resumeWindow: 60 });
  });

  it("says what one carrier can give, and that there is no end to it otherwise", () => {
    const budget = { maxOpens: 40, maxAge: 5000, maxBytes: 1_000_000 };
    expect(helloOf(edgeLimits, noResumption, 0, "", "", budget)).toMatchObject(budget);
    expect(helloOf(edgeLimits, noResumption, 0, "", "")).toMatchObject({
      maxOpens: 0,
      maxAge: 0,
      maxBytes: 0,
    });
  });
});
