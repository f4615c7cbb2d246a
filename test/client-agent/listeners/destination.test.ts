import { describe, expect, it } from "vitest";
import { destination } from "../../../client-agent/listeners/destination.ts";
import type { Replies } from "../../../client-agent/listeners/request.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { ReasonNumber } from "../../../protocol/wire.ts";
import { outcomeOf } from "../../support/handshake-outcome.ts";

/** Replies whose only byte tells which it was. */
const replies: Replies = {
  success: () => Uint8Array.of(0xff),
  failure: (reason) => Uint8Array.of(ReasonNumber[reason]),
};

describe("destination()", () => {
  it("gives the canonical address, and answers nothing", async () => {
    const outcome = await outcomeOf(destination("EXAMPLE.com.", 443, replies), []);
    expect(outcome).toEqual({ result: parseAddress("example.com", 443), rest: "", told: "" });
  });

  it("answers what is no host as name-not-found, and does not name it", async () => {
    const { error, told } = await outcomeOf(destination("secret place", 443, replies), []);
    expect(told).toBe("04");
    expect(error).toMatchObject({ name: "HandshakeError", code: "ERR_HANDSHAKE" });
    expect(String(error)).not.toContain("secret place");
  });
});
