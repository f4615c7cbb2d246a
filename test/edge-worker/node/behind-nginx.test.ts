import { once } from "node:events";
import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { Admission } from "../../../protocol/admission.ts";
import { type RunningCommand, startCommand } from "../../support/command.ts";
import { documentedServer, type Nginx, nginxMissing, startNginx } from "../../support/nginx.ts";
import { readExactly, socksConnect } from "../../support/socks-client.ts";
import { startTarget } from "../../support/target.ts";

const SECRET = "a secret long enough";
const secret = { EDGESOCKS_SECRET: SECRET };
const any = "127.0.0.1:0";
const TRUSTING = ["--trusted-proxies", "127.0.0.1/32"];

async function start(
  args: readonly string[],
  variables: Readonly<Record<string, string>> = secret,
): Promise<{ command: RunningCommand; log: () => string }> {
  const command = await startCommand(args, variables);
  onTestFinished(async () => void (await command.stop()));
  let log = "";
  command.child.stderr?.on("data", (chunk: Buffer) => (log += chunk.toString()));
  return { command, log: () => log };
}

async function startEdgeBehind(server: string, ...args: readonly string[]) {
  const edge = await start(["edge", "--listen", any, "--allow-private", ...args]);
  const nginx = await startNginx(edge.command.portOf("edge"), server);
  return { nginx, log: edge.log };
}

/** The answer to an Upgrade by way of nginx, from another address than its own. */
async function upgradeVia({ port, certFile }: Nginx): Promise<number> {
  const place = { host: "127.0.0.1", path: "/some/path" };
  const token = await new Admission("default", SECRET).issue(place, Date.now());
  const socket = new WebSocket(`wss://127.0.0.1:${port}${place.path}`, {
    ca: readFileSync(certFile),
    localAddress: "127.0.0.2",
    headers: {
      authorization: `Bearer ${token}`,
      // Made up, as a client that wants to be taken for another would.
      "x-forwarded-for": "192.0.2.66",
      "x-forwarded-host": "evil.example",
      forwarded: "for=192.0.2.67;host=evil.example",
    },
  });
  socket.on("error", () => {});
  onTestFinished(() => socket.terminate());
  const answered = once(socket, "unexpected-response").then(
    ([, response]) => (response as { statusCode: number }).statusCode,
  );
  return Promise.race([once(socket, "open").then(() => 101), answered]);
}

describe.skipIf(nginxMissing !== undefined)("edgesocks edge behind nginx", () => {
  it.each(["node", "workerd"])(
    "on %s, serves agents over TLS, by the configuration of docs/self-hosting.md",
    async (runtime) => {
      const { nginx } = await startEdgeBehind(documentedServer(), "--runtime", runtime);
      const url = `wss://127.0.0.1:${nginx.port}/some/path`;
      const agent = await start(["agent", "--listen", any, "--edge", url], {
        ...secret,
        NODE_EXTRA_CA_CERTS: nginx.certFile,
      });
      const echo = await startTarget((socket) => socket.pipe(socket));
      onTestFinished(() => echo.close());
      const { rep, socket } = await socksConnect(
        agent.command.portOf("socks"),
        "127.0.0.1",
        echo.port,
      );
      expect(rep).toBe(0);
      socket.write("through nginx");
      expect(String(await readExactly(socket, 13))).toBe("through nginx");
      socket.destroy();
    },
  );

  it("knows the client that nginx names, whatever the client has made up", async () => {
    const { nginx, log } = await startEdgeBehind(
      documentedServer(),
      ...TRUSTING,
      "--log-format",
      "json",
    );
    expect(await upgradeVia(nginx)).toBe(101);
    await expect.poll(log).toContain('"from":"127.0.0.2"');
    expect(log()).not.toContain("192.0.2.6");
  });

  it("counts by that client", async () => {
    const { nginx } = await startEdgeBehind(
      documentedServer(),
      ...TRUSTING,
      "--max-connections-per-address",
      "1",
    );
    expect(await upgradeVia(nginx)).toBe(101);
    expect(await upgradeVia(nginx)).toBe(429);
  });

  it("takes the host from X-Forwarded-Host where nginx sets that instead of Host", async () => {
    const server = documentedServer().replace(
      "proxy_set_header Host $host;",
      "proxy_set_header Host edge.internal; proxy_set_header X-Forwarded-Host $http_host;",
    );
    const fields = ["--forwarded-headers", "x-forwarded-for,x-forwarded-host"];
    const { nginx } = await startEdgeBehind(server, ...TRUSTING, ...fields);
    expect(await upgradeVia(nginx)).toBe(101);
  });

  it("lets nobody in where nginx passes on neither", async () => {
    const server = documentedServer().replace(
      "proxy_set_header Host $host;",
      "proxy_set_header Host edge.internal;",
    );
    const { nginx } = await startEdgeBehind(server, ...TRUSTING);
    expect(await upgradeVia(nginx)).toBe(404);
  });
});
