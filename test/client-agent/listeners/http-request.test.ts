import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  authorize,
  endToEndFields,
  parseAbsoluteForm,
  parseAuthority,
  requireOneHost,
} from "../../../client-agent/listeners/http-request.ts";
import type { Users } from "../../../client-agent/listeners/users.ts";
import { HandshakeError } from "../../../protocol/errors.ts";
import { plainUsers } from "../../support/plain-users.ts";

describe("parseAuthority()", () => {
  it.each([
    ["example.com:443", { kind: "name", host: "example.com", port: 443 }],
    ["EXAMPLE.com.:443", { kind: "name", host: "example.com", port: 443 }],
    ["192.0.2.7:1", { kind: "ipv4", host: "192.0.2.7", port: 1 }],
    ["[2001:DB8::1]:65535", { kind: "ipv6", host: "2001:db8::1", port: 65_535 }],
  ])("reads %s", (text, address) => expect(parseAuthority(text)).toEqual(address));

  it.each([
    "example.com",
    "example.com:",
    "example.com:0",
    "example.com:65536",
    "example.com:100000",
    "example.com:44a",
    ":443",
    "2001:db8::1:443",
    "[2001:db8::1]443",
    "[::1",
    "user@example.com:443",
    "http://example.com:443",
    "a b:443",
    "",
  ])("refuses %j with status 400 and without naming it", (text) => {
    expect(() => parseAuthority(text)).toThrow(
      expect.objectContaining({
        status: 400,
        message: "Cannot take the request: its target is not a host and a port",
      }),
    );
  });
});

describe("parseAbsoluteForm()", () => {
  it.each([
    ["GET", "http://example.com/", "example.com", 80, "/"],
    ["GET", "http://example.com", "example.com", 80, "/"],
    ["GET", "http://example.com?q", "example.com", 80, "/?q"],
    [
      "GET",
      "HTTP://Example.COM:8080/A%2fb/../c?d=/?e#f",
      "example.com:8080",
      8080,
      "/A%2fb/../c?d=/?e",
    ],
    ["GET", "http://example.com:/x", "example.com", 80, "/x"],
    ["GET", "http://example.com:80/x", "example.com", 80, "/x"],
    ["GET", "http://[::1]:81/x", "[::1]:81", 81, "/x"],
    ["GET", "http://[::1]/x", "[::1]", 80, "/x"],
    ["OPTIONS", "http://example.com", "example.com", 80, "*"],
    ["OPTIONS", "http://example.com/", "example.com", 80, "/"],
  ])("%s %s asks %s", (method, target, host, port, path) => {
    expect(parseAbsoluteForm(method, target)).toMatchObject({ host, path, address: { port } });
  });

  it.each(["/", "*", "/http://example.com/", "example.com:80", ""])(
    "says that this is a proxy to %j",
    (target) =>
      expect(() => parseAbsoluteForm("GET", target)).toThrow(
        expect.objectContaining({ status: 400, message: expect.stringContaining("is a proxy") }),
      ),
  );

  it.each(["https://example.com/", "ftp://example.com/", "ws://example.com/"])(
    "refuses %s with status 501",
    (target) =>
      expect(() => parseAbsoluteForm("GET", target)).toThrow(
        expect.objectContaining({ status: 501, message: expect.stringContaining("CONNECT") }),
      ),
  );

  it.each(["http://", "http:///x", "http://a:b@example.com/", "http://example.com:x/"])(
    "refuses %s with status 400",
    (target) =>
      expect(() => parseAbsoluteForm("GET", target)).toThrow(
        expect.objectContaining({ status: 400 }),
      ),
  );

  it("throws nothing but HandshakeError", () =>
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseAbsoluteForm("GET", `http://${text}`);
        } catch (error) {
          expect(error).toBeInstanceOf(HandshakeError);
        }
      }),
    ));
});

describe("requireOneHost()", () => {
  it.each([[[]], [["Host", "a"]], [["X-Host", "a", "host", "b"]]])("takes %j", (raw) =>
    expect(() => requireOneHost(raw)).not.toThrow(),
  );

  it.each([[["Host", "a", "Host", "b"]], [["host", "a", "X", "1", "HOST", "a"]]])(
    "refuses %j with status 400",
    (raw) =>
      expect(() => requireOneHost(raw)).toThrow(
        expect.objectContaining({ status: 400, message: expect.stringContaining("Host") }),
      ),
  );
});

describe("authorize()", () => {
  const users = plainUsers({ alice: "pässword:with colon" });
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

  const { signal } = new AbortController();

  it("lets everybody in when nobody has to say who they are", async () => {
    const nobody = plainUsers();
    expect(await authorize(nobody, undefined, signal)).toBeUndefined();
    expect(await authorize(nobody, basic("who:ever"), signal)).toBeUndefined();
  });

  it.each(["Basic", "basic", "BASIC  "])("takes the scheme as %j", async (scheme) => {
    const credentials = basic("alice:pässword:with colon").replace("Basic", scheme);
    expect(await authorize(users, credentials, signal)).toBe("alice");
  });

  it.each([
    undefined,
    "",
    "Basic",
    "Basic %%%",
    "Basic YWxpY2U=",
    basic("alice:wrong"),
    basic("alice:"),
    basic("bob:pässword:with colon"),
    basic(":"),
    `Bearer ${Buffer.from("alice:pässword:with colon").toString("base64")}`,
  ])("refuses %j with status 407", (credentials) =>
    expect(authorize(users, credentials, signal)).rejects.toMatchObject({ status: 407 }),
  );

  it("answers 503 when too many passwords are being checked, and says nothing of this one", async () => {
    const busy: Users = { isRequired: true, verify: () => Promise.resolve("busy") };
    await expect(authorize(busy, basic("alice:x"), signal)).rejects.toMatchObject({
      status: 503,
      message: "Cannot authenticate: too many passwords are being checked",
    });
  });
});

describe("endToEndFields()", () => {
  it("drops what is about one connection, and keeps the rest as it came", () => {
    const raw = [
      "Accept",
      "*/*",
      "Connection",
      "close",
      "KEEP-ALIVE",
      "timeout=5",
      "TE",
      "trailers",
    ];
    const more = ["Proxy-Connection", "keep-alive", "Upgrade", "h2c", "Cookie", "a", "cookie", "b"];
    const rest = ["Trailer", "X", "Transfer-Encoding", "chunked", "Proxy-Authorization", "Basic x"];
    expect(endToEndFields([...raw, ...more, ...rest, "Proxy-Authenticate", "Basic"])).toEqual([
      "Accept",
      "*/*",
      "Cookie",
      "a",
      "cookie",
      "b",
    ]);
  });

  it("drops what any Connection field names", () => {
    const raw = ["X-One", "1", "connection", "close, X-ONE", "Connection", "x-two ,", "x-Two", "2"];
    expect(endToEndFields([...raw, "X-Three", "3"])).toEqual(["X-Three", "3"]);
  });

  it("drops what it is told to", () => {
    expect(endToEndFields(["Host", "a", "X", "1"], ["host"])).toEqual(["X", "1"]);
  });
});
