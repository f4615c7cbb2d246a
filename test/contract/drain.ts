import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunningEdge } from "../../edge-worker/node/serve.ts";
import { parseAddress } from "../../protocol/address.ts";
import type { Admission } from "../../protocol/admission.ts";
import { Command } from "../../protocol/wire.ts";
import { askRaw, pageRequest } from "../support/raw-http.ts";
import { connectRawAgent, type RawAgent } from "../support/raw-agent.ts";
import { startTarget, type Target } from "../support/target.ts";

const nothing = new Uint8Array();
/** Longer than a test may take: an edge that waits for this to pass fails it. */
const LONG_MS = 300_000;

/** How an edge stops, seen from its agents. */
export function describeDrain(start: () => Promise<RunningEdge>, admission: Admission): void {
  describe("stop()", () => {
    let edge: RunningEdge;
    let agent: RawAgent;
    let echo: Target;

    beforeEach(async () => {
      edge = await start();
      agent = await connectRawAgent(new URL(`ws://127.0.0.1:${edge.port}/`), admission);
      echo = await startTarget((socket) => socket.pipe(socket));
    });
    afterEach(async () => {
      await agent.close();
      await edge.stop(0);
      await echo.close();
    });

    const openStream = async () => {
      const address = parseAddress("127.0.0.1", echo.port);
      const { stream } = agent.session.open(Command.Connect, address, nothing);
      await stream.answer();
      return stream;
    };

    it("asks agents to leave, and ends when they have", async () => {
      const stopping = edge.stop(LONG_MS);
      expect(await agent.drained).toBe(LONG_MS);
      await agent.closed;
      await stopping;
    });

    it("serves nobody new, and lets a stream go on to its end", async () => {
      const stream = await openStream();
      const stopping = edge.stop(LONG_MS);
      await agent.drained;
      // On Node it is refused. workerd keeps its port and takes nothing from it, until it ends.
      const knocked = askRaw(edge.port, pageRequest("/healthz")).catch(() => "no answer");
      await stream.write(Uint8Array.of(1, 2, 3));
      expect(await stream.read()).toEqual(Uint8Array.of(1, 2, 3));
      await stream.end();
      expect(await stream.read()).toBeNull();
      await stopping;
      expect(await knocked).toBe("no answer");
    });

    it("cuts a stream that does not end in time", async () => {
      const stream = await openStream();
      const broken = stream.read().then(
        () => "went on",
        () => "broke",
      );
      await edge.stop(100);
      await agent.closed;
      expect(await broken).toBe("broke");
    });
  });
}
