import { agentSettings } from "./agent-settings.ts";
import { untilConnected } from "./connected.ts";
import { onTestFinished } from "vitest";
import { type NodeAgentOptions, serveAgent } from "../../client-agent/node/serve-agent.ts";
import { serveEdge } from "../../edge-worker/node/serve.ts";
import { Admission } from "../../protocol/admission.ts";
import { edgeDoor } from "./edge-door.ts";
import { type RecordedLog, recordedLog } from "./log.ts";

/** An agent that has its edge, both on loopback, for the running test only. */
export interface AgentAndEdge {
  readonly port: number;
  /** What the agent logs. */
  readonly log: RecordedLog;
  /** The value of one series of the agent's metrics; undefined when absent. */
  metric(series: string): Promise<number | undefined>;
  stop(drainMs: number): Promise<void>;
}

/** How both differ from what is usual. */
export interface Changes extends Partial<NodeAgentOptions> {
  readonly allowPrivate?: boolean;
  readonly connectTimeoutMs?: number;
}

export async function startAgentAndEdge(changes: Changes = {}): Promise<AgentAndEdge> {
  const { allowPrivate = true, connectTimeoutMs = 5000, ...agentChanges } = changes;
  const anyPort = { host: "127.0.0.1", port: 0 };
  const admission = new Admission("test", "a secret long enough");
  const edgeLog = recordedLog();
  const edge = await serveEdge({
    ...edgeDoor,
    access: { keys: [{ id: "test", secret: "a secret long enough" }], rules: [] },
    allowPrivate,
    connectTimeoutMs,
    maxDials: 512,
    log: edgeLog,
  });
  const log = recordedLog();
  const watched = untilConnected(log);
  const agent = await serveAgent({
    ...agentSettings,
    admin: anyPort,
    edges: [new URL(`ws://127.0.0.1:${edge.port}/`)],
    admission,
    log: watched.log,
    ...agentChanges,
  });
  await watched.connected;
  onTestFinished(async () => {
    await agent.stop(0);
    await edge.stop(0);
  });
  const admin = `http://127.0.0.1:${agent.admin?.port}/metrics`;
  return {
    port: agent.listen.port,
    log,
    metric: async (series) => {
      const lines = (await (await fetch(admin)).text()).split("\n");
      const line = lines.find((candidate) => candidate.startsWith(`${series} `));
      return line === undefined ? undefined : Number(line.slice(series.length + 1));
    },
    stop: (drainMs) => agent.stop(drainMs),
  };
}
