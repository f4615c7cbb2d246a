import { connect } from "node:net";
import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { type RunningCommand, startCommand } from "../support/command.ts";
import { runCli } from "../support/cli.ts";
import { readExactly, readToEnd, socksConnect } from "../support/socks-client.ts";
import { startTarget } from "../support/target.ts";

const variables = { EDGESOCKS_SECRET: "a secret long enough", EDGESOCKS_DRAIN_TIMEOUT: "60" };
/** New clients that each of the agents must have had time to serve. */
const MANY = 200;
const MEGABYTE = 1_048_576;

async function start(...args: readonly string[]): Promise<RunningCommand> {
  const command = await startCommand(args, variables);
  onTestFinished(() => void command.child.kill("SIGKILL"));
  return command;
}

/** Clients that come one after the other until they are told to end; what became of them. */
function keepComing(port: number) {
  const counts = { served: 0, refused: 0, reset: 0 };
  const state = { isOver: false };
  const waiters = new Set<{ readonly count: number; readonly resolve: () => void }>();
  const come = async (): Promise<void> => {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      socket.write(Uint8Array.of(5, 1, 0));
      await readExactly(socket, 2);
      counts.served++;
    } catch (error) {
      const isRefused = error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
      counts[isRefused ? "refused" : "reset"]++;
    }
    socket.destroy();
  };
  const ended = (async () => {
    while (!state.isOver) {
      await come();
      for (const { count, resolve } of waiters) if (counts.served >= count) resolve();
    }
  })();
  return {
    counts,
    /** So many more have been served. */
    more: (count: number) =>
      new Promise<void>((resolve) => waiters.add({ count: counts.served + count, resolve })),
    end: async () => {
      state.isOver = true;
      await ended;
    },
  };
}

describe.skipIf(process.platform !== "linux")("edgesocks agent --reuse-port", () => {
  it(
    "is taken over while clients come, and ends after its last one",
    { timeout: 20_000 },
    async () => {
      const edge = await start("edge", "--listen", "127.0.0.1:0", "--allow-private");
      const url = `ws://127.0.0.1:${edge.portOf("edge")}/`;
      const agentAt = (port: number): Promise<RunningCommand> =>
        start("agent", "--listen", `127.0.0.1:${port}`, "--edge", url, "--reuse-port");
      const old = await agentAt(0);
      const port = old.portOf("socks");
      const going = Promise.withResolvers<void>();
      const target = await startTarget((socket) => {
        socket.write(Buffer.alloc(MEGABYTE, 1));
        void going.promise.then(() => socket.end(Buffer.alloc(MEGABYTE, 2)));
      });
      onTestFinished(() => target.close());
      const download = await socksConnect(port, "127.0.0.1", target.port);
      const whole = readToEnd(download.socket);

      const clients = keepComing(port);
      await clients.more(MANY);
      await agentAt(port);
      await clients.more(MANY);
      const ended = old.stop();
      await clients.more(2 * MANY);
      await clients.end();
      expect(clients.counts.refused).toBe(0);
      // One that came in the very moment in which the listener closed: see docs/self-hosting.md.
      expect(clients.counts.reset).toBeLessThanOrEqual(1);

      expect(old.child.exitCode).toBe(null);
      going.resolve();
      expect((await whole).length).toBe(2 * MEGABYTE);
      download.socket.end();
      expect(await ended).toBe(0);
    },
  );

  it("does not share the port with an agent that was not told to", async () => {
    const edge = ["--edge", "ws://127.0.0.1:9/"];
    const first = await start("agent", "--listen", "127.0.0.1:0", ...edge);
    const place = `127.0.0.1:${first.portOf("socks")}`;
    const outcome = await runCli(["agent", "--listen", place, ...edge, "--reuse-port"], variables);
    expect(outcome).toMatchObject({ code: 2 });
    expect(outcome.stderr).toBe(`edgesocks: Cannot listen on ${place}: the port is in use\n`);
  });
});
