import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { Admission } from "../../protocol/admission.ts";
import { parseAddress } from "../../protocol/address.ts";
import { Command } from "../../protocol/wire.ts";
import { certificatesMissing, makeCertificate } from "../support/certificate.ts";
import { type RunningCommand, startCommand } from "../support/command.ts";
import { startEcho } from "../support/echo-target.ts";
import { connectRawAgent, type RawAgent } from "../support/raw-agent.ts";
import { inspectorEnvironment, inspectorOf } from "../support/inspected-process.ts";
import { readExactly, readToEnd, socksConnect } from "../support/socks-client.ts";
import { startTarget } from "../support/target.ts";
import { tempFolder } from "../support/temp-folder.ts";

const SECRET = "a secret long enough";
const any = "127.0.0.1:0";
/** More than the first windows of a stream, so that some of it waits at each end. */
const HALF = 2_097_152;

async function startEdge(...args: readonly string[]): Promise<RunningCommand> {
  return startEdgeIn({}, ...args);
}

async function startEdgeIn(
  environment: NodeJS.ProcessEnv,
  ...args: readonly string[]
): Promise<RunningCommand> {
  const command = await startCommand(["edge", "--allow-private", ...args], {
    EDGESOCKS_SECRET: SECRET,
    ...environment,
  });
  onTestFinished(() => void command.child.kill("SIGKILL"));
  return command;
}

/** An agent with a stream to a target that says nothing. */
async function connectBusyAgent(edge: RunningCommand): Promise<RawAgent> {
  const url = new URL(`ws://127.0.0.1:${edge.portOf("edge")}/`);
  const agent = await connectRawAgent(url, new Admission("default", SECRET));
  const target = await startTarget(() => {});
  onTestFinished(() => target.close());
  const address = parseAddress("127.0.0.1", target.port);
  await agent.session.open(Command.Connect, address, new Uint8Array()).stream.answer();
  return agent;
}

/** An agent in a process of its own; resolves once it has two carriers, both greeted. */
async function startAgent(edge: RunningCommand): Promise<RunningCommand> {
  const twice = Promise.withResolvers<void>();
  const greeted = new Set<Socket>();
  const door = await startTarget((socket) => {
    const upstream = connect(edge.portOf("edge"), "127.0.0.1");
    socket.pipe(upstream).pipe(socket);
    upstream.on("error", () => socket.destroy());
    let answer = "";
    upstream.on("data", (chunk: Buffer) => {
      if (greeted.has(socket)) return;
      answer += chunk.toString("latin1");
      // Behind the head of the 101 comes the edge's HELLO.
      if (/\r\n\r\n[^]/.test(answer)) greeted.add(socket);
      if (greeted.size === 2) twice.resolve();
    });
  });
  onTestFinished(() => door.close());
  const url = `ws://127.0.0.1:${door.port}/`;
  const agent = await startCommand(["agent", "--listen", any, "--admin", any, "--edge", url], {
    EDGESOCKS_SECRET: SECRET,
  });
  onTestFinished(() => void agent.child.kill("SIGKILL"));
  await twice.promise;
  return agent;
}

/** Sessions that an agent may open streams in: 0 once its edge has asked it to go. */
async function edgesUp(agent: RunningCommand): Promise<string | undefined> {
  const metrics = await fetch(`http://127.0.0.1:${agent.portOf("admin")}/metrics`);
  return /^edgesocks_edge_up (\d+)$/m.exec(await metrics.text())?.[1];
}

/** The process of workerd that a command has started. In a checkout there is one of esbuild, too. */
function workerdOf({ child: { pid } }: RunningCommand): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  const found = children.find((id) => readFileSync(`/proc/${id}/comm`, "utf8") === "workerd\n");
  return Number(found);
}

describe("edgesocks edge", () => {
  it("says where it serves, all of it", async () => {
    const path = join(tempFolder(), "edge.sock");
    const edge = await startEdge(
      "--listen",
      `${any},[::1]:0`,
      "--listen-plain",
      `unix:${path}`,
      "--admin",
      any,
    );
    expect(edge.ready).toMatch(
      /^ready edge ws:\/\/127\.0\.0\.1:\d+\/ ws:\/\/\[::1\]:\d+\/ unix:\S+ admin 127\.0\.0\.1:\d+ \(node\)$/,
    );
    expect(await edge.stop()).toBe(0);
  });

  it("says where it serves on workerd, too", async () => {
    const path = join(tempFolder(), "edge.sock");
    const edge = await startEdge(
      "--runtime",
      "workerd",
      "--listen",
      `${any},unix:${path}`,
      "--listen-plain",
      any,
    );
    expect(edge.ready).toMatch(
      /^ready edge ws:\/\/127\.0\.0\.1:\d+\/ unix:\S+ ws:\/\/127\.0\.0\.1:\d+\/ \(workerd\)$/,
    );
    const agent = await connectBusyAgent(edge);
    await agent.close();
    expect(await edge.stop()).toBe(0);
    expect(readdirSync(join(path, ".."))).toEqual([]);
  });

  it("opens an inspector of the Worker to who inspects the edge, and to nobody else", async () => {
    const args = ["--runtime", "workerd", "--listen", any];
    const inspected = await startEdgeIn(inspectorEnvironment, ...args);
    const { host, pathname } = new URL(await inspectorOf(inspected, "workerd"));
    const listed = await fetch(`http://${host}/json`);
    expect(await listed.json()).toMatchObject([{ id: pathname.slice(1) }]);
    expect(await inspected.stop()).toBe(0);
    const edge = await startEdge(...args);
    expect(edge.errors()).not.toContain("nspector");
    expect(await edge.stop()).toBe(0);
  });
});

describe.each(["node", "workerd"])("edgesocks edge --runtime %s, on SIGTERM", (runtime) => {
  const args = ["--runtime", runtime, "--listen", any];

  it("gives agents the time of --drain-timeout, and ends with 0 when they have gone", async () => {
    const edge = await startEdge(...args, "--drain-timeout", "300");
    const agent = await connectBusyAgent(edge);
    const ended = edge.stop();
    expect(await agent.drained).toBe(300_000);
    await agent.close();
    expect(await ended).toBe(0);
  });

  it("lets what is under way through an agent with two carriers end whole", async () => {
    const edge = await startEdge(...args, "--drain-timeout", "300");
    const agent = await startAgent(edge);
    const echo = await startEcho();
    const transfers = await Promise.all(
      [1, 2].map(async () => {
        const { socket } = await socksConnect(agent.portOf("socks"), "127.0.0.1", echo);
        const bytes = randomBytes(2 * HALF);
        socket.write(bytes.subarray(0, HALF));
        // The rest of it is in the windows while the edge is told.
        return { socket, bytes, first: await readExactly(socket, 1000) };
      }),
    );
    const ended = edge.stop();
    await expect.poll(() => edgesUp(agent), { timeout: 30_000 }).toBe("0");
    for (const { socket, bytes, first } of transfers) {
      socket.end(bytes.subarray(HALF));
      const echoed = Buffer.concat([first, await readToEnd(socket)]);
      expect(echoed.equals(bytes)).toBe(true);
    }
    expect(await ended).toBe(0);
  });

  it("ends with 0 when that time is over though an agent stays", async () => {
    const edge = await startEdge(...args, "--drain-timeout", "0.1");
    const agent = await connectBusyAgent(edge);
    expect(await edge.stop()).toBe(0);
    await agent.closed;
  });

  it("ends at once with 130 on a second one", async () => {
    const edge = await startEdge(...args, "--drain-timeout", "300");
    const agent = await connectBusyAgent(edge);
    const ended = edge.stop();
    await agent.drained;
    edge.child.kill("SIGTERM");
    expect(await ended).toBe(130);
    await agent.closed;
  });
});

describe("edgesocks edge --runtime workerd", () => {
  it("ends with 1 and one line when workerd ends by itself", async () => {
    const edge = await startEdge("--runtime", "workerd", "--listen", any, "--log-level", "error");
    const errors: string[] = [];
    edge.child.stderr?.on("data", (chunk: Buffer) => errors.push(chunk.toString()));
    process.kill(workerdOf(edge), "SIGKILL");
    const [code] = (await once(edge.child, "close")) as [number];
    expect(code).toBe(1);
    expect(errors.join("")).toBe("edgesocks: Cannot go on: workerd has ended (SIGKILL)\n");
  });
});

describe.skipIf(certificatesMissing !== undefined)("edgesocks edge, on SIGHUP", () => {
  it("reads its certificate again, and goes on", async () => {
    const [first, second] = [makeCertificate(), makeCertificate()];
    const folder = tempFolder({ "cert.pem": first.cert, "key.pem": first.key });
    const file = (name: string): string => join(folder, name);
    const tls = ["--tls-cert", file("cert.pem"), "--tls-key", file("key.pem")];
    const edge = await startEdge("--listen", any, ...tls);
    expect(edge.ready).toContain("wss://127.0.0.1:");
    const shown = async (): Promise<string | undefined> => {
      const port = edge.portOf("edge");
      const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
      await once(socket, "secureConnect");
      const text = socket.getPeerX509Certificate()?.toString();
      socket.destroy();
      return text;
    };
    expect(await shown()).toBe(first.cert);
    writeFileSync(file("cert.pem"), second.cert);
    writeFileSync(file("key.pem"), second.key);
    edge.child.kill("SIGHUP");
    await expect.poll(shown, { timeout: 30_000 }).toBe(second.cert);
    expect(await edge.stop()).toBe(0);
  });
});
