import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { connectByHttp } from "../../../../edge-worker/egress/upstream/http-client.ts";
import { parseAddress, UNSPECIFIED } from "../../../../protocol/address.ts";
import { EdgesocksError, HandshakeError } from "../../../../protocol/errors.ts";
import { FakeChannel } from "../../../support/fake-channel.ts";
import { inChunks } from "../../../support/handshake-outcome.ts";

const target = parseAddress("example.com", 443);
const user = { name: "ann", password: "ü:secret" };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A proxy that says `answer`, cut in chunks of `size`, and then leaves. */
async function ask(
  answer: string | Uint8Array,
  size = 100_000,
  address = target,
  who?: typeof user,
) {
  const bytes = typeof answer === "string" ? encoder.encode(answer) : answer;
  const proxy = new FakeChannel(...inChunks(bytes, size));
  proxy.farEnd();
  const connection = connectByHttp(proxy, address, who);
  const error = await connection.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { connection, error, told: decoder.decode(proxy.written) };
}

describe("connectByHttp()", () => {
  it.each([1, 2, 3, 5, 7, 1000])("keeps what follows the header, in chunks of %i", async (size) => {
    const answer = "HTTP/1.1 200 Connection established\r\nVia: proxy\r\n\r\nhello\r\n\r\n";
    const { channel, bound } = await (await ask(answer, size)).connection;
    let text = "";
    for (let chunk = await channel.read(); chunk; chunk = await channel.read()) {
      text += decoder.decode(chunk);
    }
    expect(text).toBe("hello\r\n\r\n");
    expect(bound).toEqual(UNSPECIFIED);
  });

  it.each([
    ["example.com", "example.com:443"],
    ["192.0.2.7", "192.0.2.7:443"],
    ["2001:db8::1", "[2001:db8::1]:443"],
  ])("asks for %s", async (host, authority) => {
    const { told } = await ask("HTTP/1.1 200 \r\n\r\n", 100, parseAddress(host, 443));
    expect(told).toBe(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  });

  it("gives name and password as Basic, in UTF-8", async () => {
    const { told } = await ask("HTTP/1.1 200 \r\n\r\n", 100, target, user);
    const credentials = Buffer.from("ann:ü:secret").toString("base64");
    expect(told).toContain(`\r\nProxy-Authorization: Basic ${credentials}\r\n`);
  });

  it.each([
    "HTTP/1.0 200 OK\r\n\r\n",
    "HTTP/1.1 200\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
  ])("takes %j for a connection", async (answer) => {
    const { channel } = await (await ask(`${answer}tail`)).connection;
    expect(decoder.decode((await channel.read()) ?? undefined)).toBe("tail");
  });
});

describe("connectByHttp() fails", () => {
  it.each([
    [403, "denied"],
    [407, "edge-unavailable"],
    [502, "host-unreachable"],
    [504, "timed-out"],
    [302, "general"],
  ])("for status %i with %s", async (status, reason) => {
    const { error } = await ask(`HTTP/1.1 ${status} Why\r\nServer: x\r\n\r\n<html>`);
    expect(error).toMatchObject({ name: "StreamError", reason });
  });

  it("for what Proxy-Status tells, in several fields too", async () => {
    const status = "Proxy-Status: far; error=connection_refused\r\n";
    const { error } = await ask(`HTTP/1.1 502 Bad\r\nPROXY-STATUS: near\r\n${status}\r\n`);
    expect(error).toMatchObject({ reason: "connection-refused" });
  });

  it.each([
    "\r\n\r\n",
    "SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "HTTP/2 200 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 999 OK\r\n\r\n",
    "HTTP/1.1 200 O\rK\r\n\r\n",
    " HTTP/1.1 200 OK\r\n\r\n",
    "http/1.1 200 OK\r\n\r\n",
  ])("for %j, which is not HTTP/1.1", async (answer) => {
    expect((await ask(answer)).error).toBeInstanceOf(HandshakeError);
  });

  it("for an answer of 101, which is not to CONNECT", async () => {
    const { error } = await ask("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    expect(error).toMatchObject({ reason: "general" });
  });

  it("when the answer is cut at any byte", async () => {
    const whole = encoder.encode("HTTP/1.1 200 OK\r\nA: b\r\n\r\n");
    for (let length = 0; length < whole.length; length++) {
      const { error } = await ask(whole.subarray(0, length), 4);
      expect(error, `${length} bytes`).toMatchObject({ code: "ERR_HANDSHAKE_EOF" });
    }
  });

  it.each([
    ["a header", `HTTP/1.1 200 OK\r\nA: ${"b".repeat(16_384)}\r\n\r\n`],
    ["interim answers", "HTTP/1.1 100 Continue\r\n\r\n".repeat(700)],
  ])("for %s of more than 16 KiB", async (_what, answer) => {
    expect((await ask(answer, 1000)).error).toMatchObject({ code: "ERR_HANDSHAKE" });
  });

  it("takes a header of 16 KiB", async () => {
    const filler = "b".repeat(16_384 - "HTTP/1.1 200 OK\r\nA: \r\n\r\n".length);
    expect((await ask(`HTTP/1.1 200 OK\r\nA: ${filler}\r\n\r\n`)).error).toBeUndefined();
  });

  it("by an error of ours for any other bytes", () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom("", "HTTP/1.1 ", "HTTP/1.1 502 Bad\r\nProxy-Status: "),
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 1, max: 50 }),
        async (head, tail, size) => {
          const bytes = Uint8Array.from([...encoder.encode(head), ...tail, 13, 10, 13, 10]);
          const { error } = await ask(bytes, size);
          if (error !== undefined) expect(error).toBeInstanceOf(EdgesocksError);
        },
      ),
      { numRuns: 500 },
    ));
});
