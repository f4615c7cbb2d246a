import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ClientRequest } from "../../../client-agent/listeners/request.ts";
import { socks5 } from "../../../client-agent/listeners/socks5.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { type FailureReason, HandshakeError } from "../../../protocol/errors.ts";
import { replyTo } from "../../../protocol/failure.ts";
import { Command } from "../../../protocol/wire.ts";
import {
  CHUNK_SIZES,
  cutAt,
  inChunks,
  type Outcome,
  outcomeOf,
} from "../../support/handshake-outcome.ts";
import { hex, toHex } from "../../support/hex.ts";
import { plainUsers } from "../../support/plain-users.ts";

const anybody = plainUsers();
const alice = plainUsers({ alice: "secret" });

// socks5() begins behind VER of the greeting: NMETHODS | METHODS, then
// VER | CMD | RSV | ATYP | DST.ADDR | DST.PORT (RFC 1928 sections 3 and 4).
const anyone = "01 00";
const password = "01 05 616c696365 06 736563726574";
const asAlice = `01 02 ${password}`;
const connect = "05 01 00";
const port = "01bb";

const shake = (
  users: typeof anybody,
  ...input: readonly string[]
): Promise<Outcome<ClientRequest>> => outcomeOf(socks5(users), [hex(input.join(""))]);

const text = (host: string): string => {
  const octets = new TextEncoder().encode(host);
  return `03 ${toHex(Uint8Array.of(octets.length))} ${toHex(octets)}`;
};

describe("socks5()", () => {
  it.each([
    ["an IPv4 address", "01 01020304", "ipv4", "1.2.3.4"],
    ["an IPv6 address", "04 20010db8 00000000 00000000 00000001", "ipv6", "2001:db8::1"],
    ["a name", text("example.com"), "name", "example.com"],
    ["a name in capitals", text("EXAMPLE.com"), "name", "example.com"],
    ["a name with a trailing dot", text("example.com."), "name", "example.com"],
    ["a name beyond ASCII", text("bücher.example"), "name", "xn--bcher-kva.example"],
    ["an IPv4 address sent as a name", text("1.2.3.4"), "ipv4", "1.2.3.4"],
    ["a disguised IPv4 address", text("0x7f.1"), "ipv4", "127.0.0.1"],
    ["an IPv6 address sent as a name", text("::1"), "ipv6", "::1"],
  ])("takes %s", async (_what, address, kind, host) => {
    const { result, told } = await shake(anybody, anyone, connect, address, port);
    expect(result).toMatchObject({
      command: Command.Connect,
      address: { kind, host, port: 443 },
      user: undefined,
    });
    expect(told).toBe("0500");
  });

  it.each([Command.Connect, Command.Bind, Command.UdpAssociate, 0x00, 0x7f, Command.Resolve])(
    "hands on command %i as it was sent",
    async (command) => {
      const cmd = toHex(Uint8Array.of(command));
      const { result } = await shake(anybody, anyone, "05", cmd, "00", "01 01020304", port);
      expect(result?.command).toBe(command);
    },
  );

  it.each(["0000", "0001", "ffff"])("takes port %s", async (bytes) => {
    const { result } = await shake(anybody, anyone, connect, "01 01020304", bytes);
    expect(result?.address.port).toBe(Number.parseInt(bytes, 16));
  });

  it("passes over RSV", async () => {
    const { result } = await shake(anybody, anyone, "05 01 ff", "01 01020304", port);
    expect(result?.address.host).toBe("1.2.3.4");
  });

  it("keeps the bytes behind the request", async () => {
    const { rest } = await shake(anybody, anyone, connect, "01 01020304", port, "474554 20");
    expect(rest).toBe("47455420");
  });
});

describe("socks5() on input in pieces", () => {
  const cases: readonly [string, typeof anybody, string][] = [
    ["an IPv4 request", anybody, `${anyone} ${connect} 01 01020304 ${port}`],
    ["a name, for a user", alice, `${asAlice} ${connect} ${text("example.com")} ${port}`],
    ["an IPv6 request", anybody, `${anyone} ${connect} 04 ${"00".repeat(15)} 01 ${port}`],
  ];

  describe.each(cases)("%s", (_what, users, request) => {
    const input = hex(`${request} c0ffee`);
    const whole = outcomeOf(socks5(users), [input]);

    it.each(CHUNK_SIZES)("comes to the same in chunks of %i", async (size) => {
      expect(await outcomeOf(socks5(users), inChunks(input, size))).toEqual(await whole);
      expect(await whole).toMatchObject({ result: { command: 1 }, rest: "c0ffee" });
    });

    it("comes to the same however it is split", () =>
      fc.assert(
        fc.asyncProperty(fc.array(fc.nat(input.length)), async (places) => {
          expect(await outcomeOf(socks5(users), cutAt(input, places))).toEqual(await whole);
        }),
      ));

    it("fails with ERR_HANDSHAKE_EOF when cut at any byte", async () => {
      const bytes = hex(request);
      for (let length = 0; length < bytes.length; length++) {
        const { error } = await outcomeOf(socks5(users), [bytes.subarray(0, length)]);
        expect(error, `${length} bytes`).toBeInstanceOf(HandshakeError);
        expect(error, `${length} bytes`).toMatchObject({ code: "ERR_HANDSHAKE_EOF" });
      }
    });
  });

  it("ends random garbage as a request or as HandshakeError", () =>
    fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 700 }),
        fc.boolean(),
        async (garbage, hasUsers) => {
          const { result, error } = await outcomeOf(socks5(hasUsers ? alice : anybody), [garbage]);
          if (result === undefined) expect(error).toBeInstanceOf(HandshakeError);
        },
      ),
    ));

  it("ends a random request as a request or as HandshakeError", () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom(0x01, 0x03, 0x04, 0x7f),
        fc.uint8Array({ maxLength: 300 }),
        async (type, tail) => {
          const input = Uint8Array.of(...hex(`${anyone} ${connect}`), type, ...tail);
          const { result, error } = await outcomeOf(socks5(anybody), [input]);
          if (result === undefined) expect(error).toBeInstanceOf(HandshakeError);
        },
      ),
      { numRuns: 500 },
    ));
});

describe("socks5() method negotiation", () => {
  it.each([
    ["without users, of several", anybody, "04 80 02 00 01", "0500"],
    [
      "without users, of all",
      anybody,
      `ff ${toHex(Uint8Array.from({ length: 255 }, (_, i) => i))}`,
      "0500",
    ],
    ["with users, of several", alice, `03 00 02 01 ${password}`, "05020100"],
  ])("chooses the method it wants %s", async (_what, users, methods, told) => {
    const outcome = await shake(users, methods, connect, "01 01020304", port);
    expect(outcome.result?.user).toBe(users.isRequired ? "alice" : undefined);
    expect(outcome.told).toBe(told);
  });

  it.each([
    ["no method at all", anybody, "00"],
    ["no method that lets anybody in", anybody, "02 01 02"],
    ["no method with a password", alice, "02 00 01"],
    ["a method that does not exist", alice, "01 ff"],
  ])("answers 0xFF to %s, then fails", async (_what, users, methods) => {
    const { error, told } = await shake(users, methods, connect, "01 01020304", port);
    expect(told).toBe("05ff");
    expect(error).toBeInstanceOf(HandshakeError);
    expect(error).toMatchObject({ code: "ERR_HANDSHAKE" });
  });

  it("takes no request after a wrong password", async () => {
    const auth = "01 02  01 05 616c696365 06 736563726558";
    const { error, told } = await shake(alice, auth, connect, "01 01020304", port);
    expect(told).toBe("05020101");
    expect(error).toBeInstanceOf(HandshakeError);
  });
});

describe("socks5() refusals", () => {
  it.each(["00", "04", "06"])("refuses a request whose VER is %s", async (version) => {
    const { error, told } = await shake(anybody, anyone, version, "01 00", "01 01020304", port);
    expect(error).toMatchObject({ name: "HandshakeError", code: "ERR_HANDSHAKE" });
    expect(told).toBe("0500");
  });

  it.each(["00", "02", "05", "ff"])("answers REP 8 to an unknown ATYP: %s", async (type) => {
    const { error, told } = await shake(anybody, anyone, connect, type, "01020304", port);
    expect(told).toBe("0500 05080001 00000000 0000".replaceAll(" ", ""));
    expect(error).toMatchObject({ name: "HandshakeError", code: "ERR_HANDSHAKE" });
  });

  it.each([
    ["no name", "03 00"],
    ["a space", text("a b")],
    ["a zero byte", text("example.com\0")],
    ["a line break", text("example.com\r\nx")],
    ["a port within", text("example.com:80")],
    ["a path", text("example.com/x")],
    ["credentials", text("user@example.com")],
    ["an escape", text("%6c%6f")],
    ["a label too long", text(`${"a".repeat(64)}.com`)],
    ["a name too long", text(Array.from({ length: 64 }, () => "abc").join("."))],
    ["an empty label", text("a..b")],
    ["bytes that are not UTF-8", "03 02 fffe"],
    ["an IPv6 address with a zone", text("fe80::1%eth0")],
    ["too large an IPv4 number", text("256.256.256.256")],
  ])("answers REP 4 to what is not a host: %s", async (_what, address) => {
    const { error, told } = await shake(anybody, anyone, connect, address, port);
    expect(told).toBe("0500 05040001 00000000 0000".replaceAll(" ", ""));
    expect(error).toMatchObject({ name: "HandshakeError", code: "ERR_HANDSHAKE" });
  });

  it("keeps the target out of its error's message", async () => {
    const { error } = await shake(anybody, anyone, connect, text("secret place"), port);
    expect(String(error)).not.toContain("secret place");
  });
});

describe("socks5() replies", () => {
  const repliesOf = async () => {
    const { result } = await shake(anybody, anyone, connect, "01 01020304", port);
    if (!result) throw new Error("The request was not taken");
    return result.replies;
  };

  it.each([
    ["1.2.3.4", "01 01020304"],
    ["::1", `04 ${"00".repeat(15)} 01`],
    ["example.com", text("example.com")],
  ])("tell REP 0 and where the socket is bound: %s", async (host, address) => {
    const { success } = await repliesOf();
    expect(success(parseAddress(host, 443))).toEqual(hex(`05 00 00 ${address} ${port}`));
  });

  it.each(Object.keys(replyTo) as FailureReason[])(
    "tell %s as failure.ts has it",
    async (reason) => {
      const { failure } = await repliesOf();
      const rep = toHex(Uint8Array.of(replyTo[reason].socks5));
      expect(failure(reason)).toEqual(hex(`05 ${rep} 00 01 00000000 0000`));
    },
  );
});
