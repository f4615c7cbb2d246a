import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { serveAgent } from "../../client-agent/node/serve-agent.ts";
import { Admission } from "../../protocol/admission.ts";
import { type ChaosRelay, startChaosRelay } from "../support/chaos-relay.ts";
import { type RunningCommand, startCommand } from "../support/command.ts";
import { recordedLog } from "../support/log.ts";
import { openGate } from "../support/open-gate.ts";
import { readExactly, socksConnect } from "../support/socks-client.ts";
import { startTarget } from "../support/target.ts";
import { udpSettings } from "../support/udp-settings.ts";

const SECRET = "a secret long enough";
const STREAMS = 8;
const LOSSES = 30;
const RESET_WITHIN_MS = 15_000;
const RESUME_WINDOW_S = 3;
const MEBIBYTE = 1_048_576;
/** What V8 and the allocators keep, once they have had it. */
const MEMORY_SLACK = 64 * MEBIBYTE;
const stopSeconds = Number(process.env["CHAOS_STOP_S"] ?? 2);

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Looks again and again until it is so; the test's own time limit ends it. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await pause(50);
}

describe.skipIf(process.platform !== "linux").each(["node", "workerd"] as const)(
  "the process of an edge on %s",
  (runtime) => {
    async function startEdge(port = 0): Promise<{ command: RunningCommand; pid: number }> {
      const args = ["edge", "--listen", `127.0.0.1:${port}`, "--allow-private"];
      const window = ["--resume-window", String(RESUME_WINDOW_S)];
      const command = await startCommand([...args, "--runtime", runtime, ...window], {
        EDGESOCKS_SECRET: SECRET,
      });
      // Asked, not killed: only so does it end its workerd, too. The second signal ends it at once.
      onTestFinished(async () => {
        command.child.kill("SIGTERM");
        await command.stop();
      });
      const pid = runtime === "node" ? Number(command.child.pid) : workerdOf(command);
      return { command, pid };
    }

    async function start() {
      const edge = await startEdge();
      const relay: ChaosRelay = await startChaosRelay(edge.command.portOf("edge"), () => {});
      onTestFinished(() => relay.close());
      const agent = await serveAgent({
        listen: { host: "127.0.0.1", port: 0 },
        edges: [new URL(`ws://127.0.0.1:${relay.port}/`)],
        admission: new Admission("default", SECRET),
        users: new Map(),
        handshakeTimeoutMs: 60_000,
        gate: openGate,
        isolate: "none",
        open: "honest",
        udp: udpSettings,
        log: recordedLog(),
      });
      onTestFinished(() => agent.stop(0));
      const target = await startTarget((socket) => void socket.pipe(socket));
      onTestFinished(() => target.close());
      const open = async (): Promise<Socket> => {
        const { socket, rep } = await socksConnect(agent.listen.port, "127.0.0.1", target.port);
        expect(rep).toBe(0);
        socket.on("error", () => {});
        onTestFinished(() => void socket.destroy());
        return socket;
      };
      const openAll = () => Promise.all(Array.from({ length: STREAMS }, open));
      return { edge, relay, agent, target, open, openAll };
    }

    it("is killed: all streams are reset within 15 s, and new ones go by the next", async () => {
      const { edge, open, openAll } = await start();
      const sockets = await openAll();
      for (const socket of sockets) await echo(socket, 1);
      const gone = sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
      const port = edge.command.portOf("edge");
      const exited = once(edge.command.child, "exit");
      process.kill(edge.pid, "SIGKILL");
      await exited;
      await startEdge(port);
      const all = Promise.all(gone).then(() => "reset");
      const late = pause(RESET_WITHIN_MS).then(() => "too late");
      for (const socket of sockets) socket.resume();
      expect(await Promise.race([all, late])).toBe("reset");
      await echo(await open(), 2);
    });

    it(`stands still for ${stopSeconds} s: nothing is lost`, async () => {
      const { edge, openAll } = await start();
      const sockets = await openAll();
      process.kill(edge.pid, "SIGSTOP");
      const echoed = sockets.map((socket, i) => echo(socket, i));
      await pause(stopSeconds * 1000);
      process.kill(edge.pid, "SIGCONT");
      await Promise.all(echoed);
    });

    it(`has after ${LOSSES} losses what it had before, and nothing of a session that is abandoned`, async () => {
      const { edge, relay, target, open, openAll } = await start();
      await echo(await open(), 0);
      // Both carriers, the target, and what the edge has anyway.
      await until(() => relay.liveCount === 2);
      await echo(await open(), 0);
      const idle = socketsOf(edge.pid);
      const memory = memoryOf(edge.pid);
      // workerd itself lets go of some sockets late, as its collector runs: there the targets tell.
      const hasAtMost = (count: number): boolean =>
        runtime === "workerd" || socketsOf(edge.pid) <= count;
      const sockets = await openAll();
      for (let lost = 0; lost < LOSSES; lost++) {
        await until(() => relay.strike("reset", lost / LOSSES));
        await Promise.all(sockets.map((socket, i) => echo(socket, i + lost)));
      }
      for (const socket of sockets) socket.destroy();
      await until(() => target.sockets.size === 2);
      await until(() => hasAtMost(idle));
      expect(memoryOf(edge.pid) - memory).toBeLessThan(MEMORY_SLACK);

      await openAll();
      // The agent cannot come back: the window passes, and the targets see the end.
      await relay.close();
      await until(() => target.sockets.size === 0);
      await until(() => hasAtMost(idle - 1));
      expect(edge.command.child.exitCode).toBe(null);
    });
  },
);

/** Says something that tells where it belongs, and takes it back. */
async function echo(socket: Socket, fill: number): Promise<void> {
  const sent = Buffer.alloc(10_000, fill + 1);
  socket.write(sent);
  for (let at = 0; at < sent.length; at += 1000) {
    expect(Buffer.from(await readExactly(socket, 1000))).toEqual(sent.subarray(at, at + 1000));
  }
}

/** The process of workerd that a command has started. In a checkout there is one of esbuild, too. */
function workerdOf({ child: { pid } }: RunningCommand): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  return Number(children.find((id) => readFileSync(`/proc/${id}/comm`, "utf8") === "workerd\n"));
}

function socketsOf(pid: number): number {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "closed meanwhile";
    }
  });
  return links.filter((link) => link.startsWith("socket:")).length;
}

/** Bytes in memory, as the system counts them. */
function memoryOf(pid: number): number {
  const [, kibibytes] =
    /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kibibytes) * 1024;
}
