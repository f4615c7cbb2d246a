import { expect, onTestFinished } from "vitest";
import type { AgentAndEdge } from "./agent-and-edge.ts";
import { RawClient } from "./raw-client.ts";
import { startTarget, type Target } from "./target.ts";

/** A CONNECT, as text to be sent as it is. */
export const connectRequest = (authority: string, fields = ""): string =>
  `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${fields}\r\n`;

/** A target that sends back what it gets, for the running test. */
export async function startEcho(): Promise<Target> {
  const echo = await startTarget((socket) => socket.pipe(socket));
  onTestFinished(() => echo.close());
  return echo;
}

/** The whole answer to what is sent, which must end in a FIN. */
export async function answerTo(port: number, text: string): Promise<string> {
  const client = new RawClient(port).send(text);
  expect(await client.end()).toBe("FIN");
  return client.received;
}

/** What the agent has counted and logged of clients that it turned away. */
export async function turnedAway(agent: AgentAndEdge, code: string) {
  return {
    count: await agent.metric(`edgesocks_clients_failed_total{code="${code}"}`),
    lines: agent.log.lines.filter((line) => line.startsWith("warn ")),
  };
}
