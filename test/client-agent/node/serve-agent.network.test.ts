import { describe, expect, it, onTestFinished, vi } from "vitest";
import { watchNetwork } from "../../../client-agent/node/network-watch.ts";
import { serveAgent } from "../../../client-agent/node/serve-agent.ts";
import { Admission } from "../../../protocol/admission.ts";
import { agentSettings } from "../../support/agent-settings.ts";
import { recordedLog } from "../../support/log.ts";
import { startTarget } from "../../support/target.ts";

// This machine's addresses stay as they are: the test says when they have changed.
vi.mock("../../../client-agent/node/network-watch.ts", () => ({ watchNetwork: vi.fn() }));

/** A TCP port that takes dials and answers none. */
async function startSilentEdge() {
  const target = await startTarget();
  onTestFinished(() => target.close());
  return { url: new URL(`ws://127.0.0.1:${target.port}/`), next: target.next };
}

describe("serveAgent(), when the network changes", () => {
  // Shorter than the 10 s after which a dial without an answer is given up by itself.
  it("tells all its uplinks, and ends its watch with itself", { timeout: 8000 }, async () => {
    const unwatch = vi.fn();
    vi.mocked(watchNetwork).mockReturnValue(unwatch);
    const [edge, fallback] = [await startSilentEdge(), await startSilentEdge()];
    const dialled = () => Promise.all([edge.next(), fallback.next()]);
    const first = dialled();
    const agent = await serveAgent({
      ...agentSettings,
      edges: [edge.url],
      fallbackEdges: [fallback.url],
      admission: new Admission("test", "a secret long enough"),
      log: recordedLog(),
    });
    await first;
    const second = dialled();
    vi.mocked(watchNetwork).mock.calls[0]?.[1](false);
    await second;
    expect(unwatch).not.toHaveBeenCalled();
    await agent.stop(0);
    expect(unwatch).toHaveBeenCalledOnce();
  });
});
