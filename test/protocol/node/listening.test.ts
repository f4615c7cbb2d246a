import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { formatEndpoint, listenAt } from "../../../protocol/node/listening.ts";
import { runProgram } from "../../support/run-program.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const servers: Server[] = [];

function newServer(): Server {
  const server = createServer((socket) => socket.destroy());
  servers.push(server);
  return server;
}

afterEach(async () => {
  for (const server of servers.splice(0).filter(({ listening }) => listening)) {
    server.close();
    await once(server, "close");
  }
});

describe("listenAt()", () => {
  it("tells the port that it got", async () => {
    const got = await listenAt(newServer(), { host: "127.0.0.1", port: 0 });
    expect(got).toEqual({ host: "127.0.0.1", port: expect.any(Number) as number });
    await expect(listenAt(newServer(), got)).rejects.toMatchObject({ code: "EADDRINUSE" });
  });

  it("makes a Unix socket, which goes with its server", async () => {
    const path = join(tempFolder(), "edge.sock");
    const server = newServer();
    expect(await listenAt(server, { path })).toEqual({ path });
    expect(existsSync(path)).toBe(true);
    server.close();
    await once(server, "close");
    expect(existsSync(path)).toBe(false);
  });

  it("takes over a socket that a killed process has left", async () => {
    const path = join(tempFolder(), "edge.sock");
    const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    await runProgram(process.execPath, ["-e", script]);
    expect(existsSync(path)).toBe(true);
    await expect(listenAt(newServer(), { path })).resolves.toEqual({ path });
  });

  it("names the folder that is missing", async () => {
    const path = "/no/such/folder/edge.sock";
    const text = `Cannot listen on unix:${path}: there is no such folder`;
    await expect(listenAt(newServer(), { path })).rejects.toThrow(text);
  });

  it("leaves a socket that somebody serves, and a file that is none", async () => {
    const folder = tempFolder();
    const served = { path: join(folder, "served.sock") };
    await listenAt(newServer(), served);
    await expect(listenAt(newServer(), served)).rejects.toMatchObject({ code: "EADDRINUSE" });
    const file = { path: join(folder, "file") };
    writeFileSync(file.path, "precious");
    await expect(listenAt(newServer(), file)).rejects.toMatchObject({ code: "EADDRINUSE" });
    expect(existsSync(file.path)).toBe(true);
  });
});

describe("formatEndpoint()", () => {
  it.each([
    [{ host: "127.0.0.1", port: 80 }, "127.0.0.1:80"],
    [{ host: "::1", port: 80 }, "[::1]:80"],
    [{ path: "/run/edge.sock" }, "unix:/run/edge.sock"],
  ])("writes %j as %s", (endpoint, text) => expect(formatEndpoint(endpoint)).toBe(text));
});
