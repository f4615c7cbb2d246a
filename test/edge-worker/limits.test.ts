import { describe, expect, it } from "vitest";
import { edgeLimits, helloOf } from "../../edge-worker/limits.ts";
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
    expect(edgeLimits.maxCarriers).toBe(1);
  });
});

describe("helloOf()", () => {
  it("states the limits, the runtime and the place, and goes over the wire", () => {
    const hello = helloOf(edgeLimits, Capability.Resolve, "node", "AMS");
    expect(hello).toMatchObject({ ...edgeLimits, version: PROTOCOL_VERSION });
    expect(hello).toMatchObject({ runtime: "node", place: "AMS" });
    const writer = new ByteWriter();
    encodeHello(writer, { ...hello, session: Uint8Array.of(7) });
    expect(decodeHello(writer.take())).toEqual({ ...hello, session: Uint8Array.of(7) });
  });

  it("announces what the edge can do, and no resumption", () => {
    const capabilities = Capability.Bind | Capability.UdpNative;
    const hello = helloOf(edgeLimits, capabilities, "node", "");
    expect(hello).toMatchObject({ capabilities, resumeWindow: 0 });
  });
});
