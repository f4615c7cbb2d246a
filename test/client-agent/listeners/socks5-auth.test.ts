import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { authenticate } from "../../../client-agent/listeners/socks5-auth.ts";
import type { Users } from "../../../client-agent/listeners/users.ts";
import { HandshakeError } from "../../../protocol/errors.ts";
import { CHUNK_SIZES, cutAt, inChunks, outcomeOf } from "../../support/handshake-outcome.ts";
import { plainUsers } from "../../support/plain-users.ts";
import { hex } from "../../support/hex.ts";

const users = plainUsers({ alice: "secret" });
// RFC 1929 section 2: VER | ULEN | UNAME | PLEN | PASSWD.
const right = hex("01 05 616c696365 06 736563726574");
const wrong = hex("01 05 616c696365 06 736563726558");

describe("authenticate()", () => {
  it.each(CHUNK_SIZES)("returns the name, in chunks of %i", async (size) => {
    const outcome = await outcomeOf(authenticate(users), inChunks(right, size));
    expect(outcome).toEqual({ result: "alice", rest: "", told: "0100" });
  });

  it("returns the name however the input is split", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.nat(right.length)), async (places) => {
        const outcome = await outcomeOf(authenticate(users), cutAt(right, places));
        expect(outcome).toEqual({ result: "alice", rest: "", told: "0100" });
      }),
    ));

  it("leaves the bytes behind it alone", async () => {
    const outcome = await outcomeOf(authenticate(users), [right, hex("05 01 00")]);
    expect(outcome).toMatchObject({ result: "alice", rest: "050100" });
  });

  it.each([
    ["a wrong password", wrong],
    ["an unknown user", hex("01 03 626f62 06 736563726574")],
    ["an empty name and password", hex("01 00 00")],
    ["a name that is not UTF-8", hex("01 02 fffe 06 736563726574")],
  ])("answers STATUS 1 to %s, then fails", async (_what, input) => {
    const { error, told } = await outcomeOf(authenticate(users), [input]);
    expect(told).toBe("0101");
    expect(error).toBeInstanceOf(HandshakeError);
    expect(error).toMatchObject({ code: "ERR_HANDSHAKE" });
  });

  it("keeps the name and the password out of its error", async () => {
    const { error } = await outcomeOf(authenticate(users), [wrong]);
    expect(String(error)).not.toMatch(/alice|secre/);
  });

  it("answers STATUS 1 when too many passwords are being checked", async () => {
    const busy: Users = { isRequired: true, verify: () => Promise.resolve("busy") };
    const { error, told } = await outcomeOf(authenticate(busy), [right]);
    expect(told).toBe("0101");
    expect(error).toMatchObject({ message: expect.stringContaining("too many passwords") });
  });

  it("refuses a VER other than 1 without an answer", async () => {
    const { error, told } = await outcomeOf(authenticate(users), [hex("05"), right.subarray(1)]);
    expect(error).toMatchObject({ name: "HandshakeError", code: "ERR_HANDSHAKE" });
    expect(told).toBe("");
  });

  it("fails with ERR_HANDSHAKE_EOF when cut at any byte", async () => {
    for (let length = 0; length < right.length; length++) {
      const { error } = await outcomeOf(authenticate(users), [right.subarray(0, length)]);
      expect(error, `${length} bytes`).toMatchObject({ code: "ERR_HANDSHAKE_EOF" });
    }
  });

  it("takes names and passwords of 255 bytes", async () => {
    const [name, password] = ["n".repeat(255), "p".repeat(255)];
    const input = Uint8Array.of(1, 255, ...Buffer.from(name), 255, ...Buffer.from(password));
    const outcome = await outcomeOf(authenticate(plainUsers({ [name]: password })), [input]);
    expect(outcome).toMatchObject({ result: name, told: "0100" });
  });

  it("ends random garbage as HandshakeError", () =>
    fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), async (garbage) => {
        const { error } = await outcomeOf(authenticate(users), [garbage]);
        expect(error).toBeInstanceOf(HandshakeError);
      }),
    ));
});
