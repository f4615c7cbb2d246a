import { describe, expect, it, onTestFinished } from "vitest";
import { serveEdge } from "../../../edge-worker/node/serve.ts";
import { startBrokenNetwork } from "../../support/broken-network.ts";
import { echo } from "../../support/echo.ts";
import { edgeDoor } from "../../support/edge-door.ts";
import { recordedLog } from "../../support/log.ts";
import { socksConnect } from "../../support/socks-client.ts";
import { startTarget } from "../../support/target.ts";

const key = { keyId: "test", secret: "a secret long enough" };
/** Longer than a test may take: an edge that waits for this to pass fails it. */
const LONG_MS = 300_000;

/** A client with a stream to an echo, by an edge and a network that breaks. */
async function begun() {
  const edge = await serveEdge({
    ...edgeDoor,
    access: { keys: [{ id: key.keyId, secret: key.secret }], rules: [] },
    allowPrivate: true,
    connectTimeoutMs: 5000,
    maxDials: 512,
    log: recordedLog(),
  });
  onTestFinished(() => edge.stop(0));
  const network = await startBrokenNetwork({ edgePort: edge.port, ...key });
  const target = await startTarget((socket) => void socket.pipe(socket));
  onTestFinished(() => target.close());
  const { socket, rep } = await socksConnect(network.agent.listen.port, "127.0.0.1", target.port);
  onTestFinished(() => void socket.destroy());
  expect(rep).toBe(0);
  await echo(socket, 1);
  const loseAll = (): void => {
    while (network.relay.strike("reset", 0));
  };
  return { edge, socket, loseAll };
}

describe("serveEdge(), that is to stop while an agent is away", () => {
  it("takes it back for the streams that it has, and ends with the last of them", async () => {
    const { edge, socket, loseAll } = await begun();
    loseAll();
    const stopping = edge.stop(LONG_MS);
    await echo(socket, 2);
    socket.end();
    await stopping;
  });

  it("does so too when the carriers are lost meanwhile, though it had closed its port", async () => {
    const { edge, socket, loseAll } = await begun();
    const stopping = edge.stop(LONG_MS);
    await echo(socket, 2);
    for (const fill of [3, 4]) {
      loseAll();
      await echo(socket, fill);
    }
    socket.end();
    await stopping;
  });
});
