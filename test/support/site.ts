import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { startAgentAndEdge } from "./agent-and-edge.ts";
import { RawClient } from "./raw-client.ts";
import { startTarget } from "./target.ts";

/** A web server for the running test, and a client of the proxy that knows its URL. */
export async function startSite(serve: (...args: Parameters<RequestListener>) => unknown) {
  const agent = await startAgentAndEdge();
  const server = createServer((request, response) => void serve(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return clientOf(agent, port);
}

/** The same with a server that speaks as the test says. */
export async function startRawSite(answer: string, then: "ends" | "breaks off" | "stays") {
  const agent = await startAgentAndEdge();
  const asked = Promise.withResolvers<string>();
  const target = await startTarget((socket) => {
    let request = "";
    socket.on("data", (chunk) => {
      request += chunk.toString("latin1");
      if (!request.includes("\r\n\r\n")) return;
      asked.resolve(request);
      socket.write(answer, "latin1", () => {
        if (then === "ends") socket.end();
        // Not before the client has the answer, which an RST would overtake.
        if (then === "breaks off") void breakOff.promise.then(() => socket.resetAndDestroy());
      });
    });
  });
  const breakOff = Promise.withResolvers<void>();
  onTestFinished(() => target.close());
  return { ...clientOf(agent, target.port), asked: asked.promise, breakOff: breakOff.resolve };
}

function clientOf(agent: Awaited<ReturnType<typeof startAgentAndEdge>>, port: number) {
  const client = new RawClient(agent.port);
  const url = `http://127.0.0.1:${port}`;
  const ask = (method: string, path = "/", fields = "", body = ""): RawClient =>
    client.send(`${method} ${url}${path} HTTP/1.1\r\nHost: elsewhere\r\n${fields}\r\n${body}`);
  return { agent, client, url, port, ask };
}
