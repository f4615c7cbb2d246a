import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { RawClient } from "../../support/raw-client.ts";
import { startRawSite, startSite } from "../../support/site.ts";

const rawHeadersOf = (request: IncomingMessage): string =>
  request.rawHeaders.map((field, i) => (i % 2 === 0 ? `${field}: ` : `${field}\n`)).join("");

describe("forward()", () => {
  it("asks the target in origin-form, with its own Host", async () => {
    const { client, ask, port } = await startSite((request, response) =>
      response.end(`${request.method} ${request.url} ${request.headers.host}`),
    );
    ask("GET", "/A%2fb/../c?d=http://e");
    expect(await client.until("/A%2fb/../c?d=http://e 127.0.0.1")).toContain("HTTP/1.1 200 OK\r\n");
    expect(await client.until(String(port))).toBe(`:${port}`);
  });

  it("answers one request after the other on one connection", async () => {
    const { agent, client, ask } = await startSite((request, response) =>
      response.end(`this is ${request.url}.`),
    );
    ask("GET", "/one");
    await client.until("this is /one.");
    ask("GET", "/two");
    expect(await client.until("this is /two.")).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(await agent.metric("edgesocks_clients")).toBe(1);
    expect(await agent.metric("edgesocks_streams_opened_total")).toBe(2);
    client.socket.end();
    expect(await client.end()).toBe("FIN");
    expect(agent.log.lines.filter((line) => line.startsWith("warn "))).toEqual([]);
  });

  it("answers pipelined requests in turn, and asks the second after the first", async () => {
    const asked: (string | undefined)[] = [];
    const first = Promise.withResolvers<ServerResponse>();
    const { client, ask } = await startSite((request, response) => {
      asked.push(request.url);
      if (request.url === "/one") first.resolve(response);
      else response.end("second.");
    });
    ask("GET", "/one");
    ask("GET", "/two");
    const response = await first.promise;
    expect(asked).toEqual(["/one"]);
    response.end("first.");
    await client.until("first.");
    await client.until("second.");
  });

  it("answers 417 to an expectation that nobody knows, once", async () => {
    const { agent, client, ask } = await startSite((_request, response) => response.end());
    ask("GET", "/", "Expect: wonders\r\n");
    expect(await client.until("expectation of the request")).toContain("HTTP/1.1 417 ");
    await client.end();
    expect(agent.log.lines.filter((line) => line.startsWith("warn "))).toHaveLength(1);
  });

  it("cuts off a client that sends more than 64 requests ahead of their answers", async () => {
    const { agent, client, ask } = await startSite(() => {});
    for (let i = 0; i < 66; i++) ask("GET", "/");
    await client.end();
    expect(agent.log.lines.filter((line) => line.startsWith("warn "))).toEqual([
      expect.stringContaining("Cannot take more than 64 requests ahead of their answers"),
    ]);
  });

  it.each([
    ["with its length", "Content-Length: 11\r\n", "hello world"],
    ["in chunks", "Transfer-Encoding: chunked\r\n", "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"],
  ])("sends a body on %s", async (_how, fields, body) => {
    const { client, ask } = await startSite(async (request, response) => {
      const got = await text(request);
      response.end(`${got}|${rawHeadersOf(request)}|`);
    });
    ask("POST", "/", fields, body);
    await client.until("\r\n\r\n");
    const answer = await client.until("close\n|");
    expect(answer).toContain("hello world|");
    expect(answer).toContain(fields.trim());
  });

  it("keeps a body's framing, whatever Connection names", async () => {
    const { client, ask } = await startSite(async (request, response) =>
      response.end(`(${await text(request)})`),
    );
    const fields = "Connection: content-length, host, transfer-encoding\r\nContent-Length: 5\r\n";
    ask("GET", "/", fields, "GET /");
    await client.until("(GET /)");
  });

  it("says that a POST without a body has none", async () => {
    const { client, ask } = await startSite((request, response) =>
      response.end(rawHeadersOf(request)),
    );
    ask("POST");
    await client.until("Content-Length: 0\n");
  });

  it("carries megabytes both ways, as they come", async () => {
    const sum = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
    const body = Buffer.alloc(3_000_000, "0123456789abcdefg");
    const { agent, url } = await startSite((request, response) => void request.pipe(response));
    const client = new RawClient(agent.port);
    const head = `POST ${url}/ HTTP/1.0\r\nContent-Length: ${body.length}\r\n\r\n`;
    client.send(head + body.toString("latin1"));
    expect(await client.end()).toBe("FIN");
    const [, answer = ""] = client.received.split("\r\n\r\n");
    expect(sum(Buffer.from(answer, "latin1"))).toBe(sum(body));
  });

  it("holds the target back for a client that does not read", async () => {
    const body = Buffer.alloc(50_000_000);
    const answers = new Map<string | undefined, ServerResponse>();
    const { agent, client, url } = await startSite((request, response) => {
      answers.set(request.url, response.end(request.url === "/slow" ? body : "quick."));
    });
    client.socket.pause();
    client.send(`GET ${url}/slow HTTP/1.0\r\n\r\n`);
    // Others are served meanwhile, which takes long enough for what is not held back to be gone.
    for (let i = 0; i < 50; i++) {
      const other = new RawClient(agent.port).send(`GET ${url}/ HTTP/1.0\r\n\r\n`);
      await other.until("quick.");
    }
    expect(answers.get("/slow")?.writableFinished).toBe(false);
    client.socket.resume();
    expect(await client.end()).toBe("FIN");
    expect(client.received.split("\r\n\r\n")[1]).toHaveLength(body.length);
  });

  it("sends the header on before there is a body, and 100 Continue back", async () => {
    const { client, ask } = await startSite(async (request, response) => {
      response.end(`(${await text(request)})`);
    });
    ask("PUT", "/", "Expect: 100-continue\r\nContent-Length: 4\r\n");
    expect(await client.until("\r\n\r\n")).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    expect(await client.until("(body)")).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  it("passes on neither side's fields about its own connection", async () => {
    const { client, ask, asked } = await startRawSite(
      "HTTP/1.1 200 Fine\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=99\r\n" +
        "Proxy-Authenticate: Basic\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nTrailer: X\r\n" +
        "Set-Cookie: a\r\nSet-Cookie: b\r\nX-End: 1\r\nContent-Length: 3\r\n\r\nend",
      "ends",
    );
    const fields =
      "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 99\r\nTE: trailers\r\n" +
      "Proxy-Authorization: Basic eDp5\r\nProxy-Connection: keep-alive\r\nUpgrade: h2c\r\nX-End: 1\r\n";
    ask("GET", "/", fields);
    expect(await asked).toMatch(
      /^GET \/ HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\nX-End: 1\r\nConnection: close\r\n\r\n$/,
    );
    expect(await client.until("end")).toBe(
      "HTTP/1.1 200 Fine\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nX-End: 1\r\nContent-Length: 3\r\n" +
        "Connection: keep-alive\r\n\r\nend",
    );
  });

  it.each([
    ["chunks", "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", "stays"],
    ["what comes before its end", "\r\nonetwo", "ends"],
  ] as const)("gives an answer of %s on in chunks", async (_what, rest, then) => {
    const { client, ask } = await startRawSite(`HTTP/1.1 200 OK\r\n${rest}`, then);
    ask("GET");
    const answer = await client.until("\r\n0\r\n\r\n");
    expect(answer).toContain("Transfer-Encoding: chunked\r\n");
    expect(answer.split("\r\n\r\n")[1]?.replaceAll(/(^|\r\n)\w\r\n/g, "")).toBe("onetwo\r\n0");
  });

  it("gives HTTP/1.0 a plain body, and ends the connection", async () => {
    const rest = "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n";
    const { client, url } = await startRawSite(`HTTP/1.1 200 OK\r\n${rest}`, "ends");
    client.send(`GET ${url}/ HTTP/1.0\r\n\r\n`);
    expect(await client.end()).toBe("FIN");
    expect(client.received).toMatch(/\r\n\r\nonetwo$/);
  });

  it.each([
    ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"],
    ["GET", "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"],
    ["GET", "HTTP/1.1 204 No Content\r\n\r\n"],
  ])("ends an answer to %s that has no body", async (method, answer) => {
    const { client, ask } = await startRawSite(answer, "stays");
    ask(method);
    await client.until("\r\n\r\n");
    ask(method);
    expect(await client.until("\r\n\r\n")).toContain(answer.split("\r\n")[0]);
  });

  it("gives an answer that comes before the body is sent, and goes on", async () => {
    const site = await startRawSite(
      "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge",
      "ends",
    );
    site.ask("POST", "/", "Content-Length: 1000000\r\n");
    await site.client.until("large");
    site.client.send("x".repeat(1_000_000));
    site.ask("GET");
    await site.client.until("large");
  });
});
