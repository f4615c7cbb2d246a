import { agentSettings } from "../../support/agent-settings.ts";
import { connect } from "node:net";
import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  type NodeAgentOptions,
  type RunningAgent,
  serveAgent,
} from "../../../client-agent/node/serve-agent.ts";
import { nodeOutbound } from "../../../edge-worker/egress/outbound.ts";
import {
  type NodeEdgeOptions,
  type RunningEdge,
  serveEdge,
} from "../../../edge-worker/node/serve.ts";
import { Admission } from "../../../protocol/admission.ts";
import { startEcho } from "../../support/echo-target.ts";
import { edgeDoor } from "../../support/edge-door.ts";
import { recordedLog } from "../../support/log.ts";
import { readExactly, readToEnd, socksConnect } from "../../support/socks-client.ts";

const key = { id: "test", secret: "a secret long enough" };

async function startEdge(changes: Partial<NodeEdgeOptions> = {}): Promise<RunningEdge> {
  const edge = await serveEdge({
    ...edgeDoor,
    access: { keys: [key], rules: [] },
    allowPrivate: true,
    connectTimeoutMs: 5000,
    log: recordedLog(),
    ...changes,
  });
  onTestFinished(() => edge.stop(0));
  return edge;
}

const urlOf = ({ port }: RunningEdge): URL => new URL(`ws://127.0.0.1:${port}/`);

async function startAgent(
  changes: Pick<NodeAgentOptions, "edges" | "fallbackEdges">,
): Promise<RunningAgent> {
  const agent = await serveAgent({
    ...agentSettings,
    admission: new Admission(key.id, key.secret),
    log: recordedLog(),
    ...changes,
  });
  onTestFinished(() => agent.stop(0));
  return agent;
}

/** Says something to the echo through the agent, and gives what comes back. */
async function echoed(agent: RunningAgent, port: number): Promise<string> {
  const { socket, rep } = await socksConnect(agent.listen.port, "127.0.0.1", port);
  expect(rep).toBe(0);
  socket.write("hello");
  const answer = Buffer.from(await readExactly(socket, 5)).toString();
  socket.destroy();
  return answer;
}

describe("serveAgent() with several edges", () => {
  // The edge may stay away for 10 s before another takes the new streams.
  it("serves new clients by the other when one has been stopped", { timeout: 30_000 }, async () => {
    const echo = await startEcho();
    const [one, other] = [await startEdge(), await startEdge()];
    const agent = await startAgent({ edges: [urlOf(one), urlOf(other)] });
    expect(await echoed(agent, echo)).toBe("hello");
    await one.stop(0);
    expect(await echoed(agent, echo)).toBe("hello");
    await startEdge({ listen: [{ host: "127.0.0.1", port: one.port }] });
    await other.stop(0);
    expect(await echoed(agent, echo)).toBe("hello");
  });
});

describe("serveAgent() with a fallback edge", () => {
  it("associates there when the first relays no UDP, and connects by the first", async () => {
    const echo = await startEcho();
    const first = await startEdge({ outbound: { ...nodeOutbound, udp: "off" } });
    const agent = await startAgent({
      edges: [urlOf(first)],
      fallbackEdges: [urlOf(await startEdge({ allowPrivate: false }))],
    });
    // To 127.0.0.1, where only the first lets anybody go.
    expect(await echoed(agent, echo)).toBe("hello");
    const client = connect(agent.listen.port, "127.0.0.1");
    await once(client, "connect");
    client.write(Uint8Array.of(5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0));
    expect([...(await readExactly(client, 4))]).toEqual([5, 0, 5, 0]);
    client.destroy();
  });
});

describe("serveAgent() while its edge stops", () => {
  it("keeps a stream that ends within the edge's time, with sessions that can be resumed", async () => {
    const echo = await startEcho();
    const edge = await startEdge({ resumption: { resumeWindow: 60, resumeMemory: 8_388_608 } });
    const agent = await startAgent({ edges: [urlOf(edge)] });
    const { socket } = await socksConnect(agent.listen.port, "127.0.0.1", echo);
    const stopped = edge.stop(300_000);
    socket.end("to the very end");
    expect((await readToEnd(socket)).toString()).toBe("to the very end");
    await stopped;
  });
});
