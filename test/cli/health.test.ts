import { createServer, type RequestListener } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { checkHealth } from "../../cli/health.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { listenOn } from "../../protocol/node/http-server.ts";
import { runCli } from "../support/cli.ts";
import { closedPort } from "../support/target.ts";

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  const port = await listenOn(server, "127.0.0.1", 0);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${port}/healthz`;
}

describe("checkHealth()", () => {
  it("is content with ok", async () => {
    await expect(checkHealth(await serve((_, res) => res.end("ok\n")))).resolves.toBeUndefined();
  });

  it.each<[string, RequestListener, string]>([
    ["another status", (_, res) => res.writeHead(503).end("ok\n"), "it answered 503"],
    ["another page", (_, res) => res.end("not ok"), 'it did not answer "ok"'],
    ["nothing", (_, res) => res.end(), 'it did not answer "ok"'],
    ["a redirect", (_, res) => res.writeHead(302, { location: "/" }).end(), "it answered 302"],
    ["a page without end", (_, res) => pour(res), 'it did not answer "ok"'],
  ])("is not content with %s", async (_what, answer, text) => {
    await expect(checkHealth(await serve(answer))).rejects.toThrow(text);
  });

  it("says why there is no answer", async () => {
    const url = `http://127.0.0.1:${await closedPort()}/healthz`;
    await expect(checkHealth(url)).rejects.toThrow(/^Cannot call http:\S+ healthy: .*ECONNREFUSED/);
  });

  it("says so when the answer is no HTTP", async () => {
    const server = createTcpServer((socket) =>
      socket.end("nonsense\r\n\r\n").on("error", () => {}),
    );
    const port = await listenOn(server, "127.0.0.1", 0);
    onTestFinished(() => void server.close());
    await expect(checkHealth(`http://127.0.0.1:${port}/`)).rejects.toThrow("Cannot call");
  });

  it.each(["", "127.0.0.1:80", "ftp://127.0.0.1/", "file:///etc/passwd"])(
    "refuses %j",
    async (url) => {
      await expect(checkHealth(url)).rejects.toThrow(ConfigError);
    },
  );
});

describe("edgesocks health", () => {
  it("exits with 0, 1 or 2", async () => {
    const healthy = await serve((_, res) => res.end("ok\n"));
    expect(await runCli(["health", healthy])).toEqual({ code: 0, stdout: "", stderr: "" });
    const ill = await runCli(["health", await serve((_, res) => res.writeHead(500).end())]);
    expect(ill).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^edgesocks: Cannot call [^\n]+\n$/),
    });
    expect((await runCli(["health", "nonsense"])).code).toBe(2);
    expect((await runCli(["health"])).code).toBe(2);
  });
});

/** A body that goes on for as long as it is taken. */
function pour(response: Parameters<RequestListener>[1]): void {
  if (response.destroyed) return;
  response.write("ok".repeat(1000));
  setImmediate(() => pour(response));
}
