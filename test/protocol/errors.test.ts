import { describe, expect, it } from "vitest";
import {
  CarrierError,
  ConfigError,
  EdgesocksError,
  HandshakeError,
  messageOf,
  ProtocolError,
  reasonOf,
  StreamError,
} from "../../protocol/errors.ts";
import { GoAwayReason } from "../../protocol/wire.ts";

describe("EdgesocksError", () => {
  const cause = new Error("beneath");
  const errors = [
    new EdgesocksError("ERR_ADDRESS", "Cannot", { cause }),
    new ConfigError("Cannot", { cause }),
    new ProtocolError("ERR_FRAME_CUT", "Cannot", { cause }),
    new CarrierError("ERR_CARRIER_LOST", "Cannot", { cause }),
    new StreamError("denied", "Cannot", { cause }),
    new HandshakeError("ERR_HANDSHAKE", "Cannot", { cause }),
  ];

  it.each(errors)("keeps name, message, code and cause: $name", (error) => {
    expect(error).toBeInstanceOf(EdgesocksError);
    expect(error.name).toBe(error.constructor.name);
    expect([error.message, error.cause]).toEqual(["Cannot", cause]);
    expect(error.code).toMatch(/^(ERR_[A-Z_]+|denied)$/);
  });
});

describe("ProtocolError", () => {
  it("blames the peer unless it is told another GOAWAY reason", () => {
    const plain = new ProtocolError("ERR_FRAME_CUT", "Cannot");
    expect(plain.goAway).toBe(GoAwayReason.ProtocolError);
    const { Overloaded } = GoAwayReason;
    expect(new ProtocolError("ERR_FRAME_STATE", "Cannot", { goAway: Overloaded }).goAway).toBe(
      Overloaded,
    );
  });
});

describe("reasonOf()", () => {
  it("is the reason of a StreamError, else the fallback", () => {
    expect(reasonOf(new StreamError("timed-out", "Cannot"))).toBe("timed-out");
    expect(reasonOf(new ProtocolError("ERR_FRAME_CUT", "Cannot"))).toBe("general");
    expect(reasonOf("thrown text", "cancelled")).toBe("cancelled");
  });
});

describe("messageOf()", () => {
  it("is the text of anything thrown", () => {
    expect(messageOf(new Error("text"))).toBe("text");
    expect([messageOf("text"), messageOf(undefined), messageOf(7)]).toEqual([
      "text",
      "undefined",
      "7",
    ]);
  });
});
