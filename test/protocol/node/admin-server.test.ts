import { afterEach, describe, expect, it } from "vitest";
import { type AdminServer, serveAdmin } from "../../../protocol/node/admin-server.ts";
import { Metrics } from "../../../client-agent/observe/metrics.ts";

const servers: AdminServer[] = [];

async function startAdmin(metrics = new Metrics()): Promise<{ url: string; server: AdminServer }> {
  const server = await serveAdmin("127.0.0.1", 0, metrics);
  servers.push(server);
  return { url: `http://127.0.0.1:${server.port}`, server };
}

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

describe("serveAdmin()", () => {
  it("answers /healthz", async () => {
    const { url } = await startAdmin();
    const response = await fetch(`${url}/healthz`);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("ok\n");
  });

  it("answers /metrics in the Prometheus format", async () => {
    const metrics = new Metrics();
    metrics.clientCame();
    const { url } = await startAdmin(metrics);
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get("content-type")).toBe(metrics.contentType);
    expect(await response.text()).toContain("\nedgesocks_clients 1\n");
  });

  it("answers 404 to all else", async () => {
    const { url } = await startAdmin();
    const answers = await Promise.all([
      fetch(`${url}/`),
      fetch(`${url}/metrics`, { method: "POST" }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404]);
  });

  it("rejects with EADDRINUSE when the port is in use", async () => {
    const { server } = await startAdmin();
    const second = serveAdmin("127.0.0.1", server.port, new Metrics());
    await expect(second).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});

describe("AdminServer.close()", () => {
  it("leaves nothing listening, kept-alive connections neither", async () => {
    const { url, server } = await startAdmin();
    await (await fetch(`${url}/healthz`)).text();
    server.close();
    await expect(fetch(`${url}/healthz`)).rejects.toMatchObject({
      cause: { code: "ECONNREFUSED" },
    });
  });
});
