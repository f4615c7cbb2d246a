import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { Admission } from "../../protocol/admission.ts";
import { parseAddress } from "../../protocol/address.ts";
import { Command } from "../../protocol/wire.ts";
import { certificatesMissing, makeCertificate } from "../support/certificate.ts";
import { type RunningCommand, startCommand } from "../support/command.ts";
import { connectRawAgent, type RawAgent } from "../support/raw-agent.ts";
import { startTarget } from "../support/target.ts";
import { tempFolder } from "../support/temp-folder.ts";

const SECRET = "a secret long enough";
const any = "127.0.0.1:0";

async function startEdge(...args: readonly string[]): Promise<RunningCommand> {
  const command = await startCommand(["edge", "--allow-private", ...args], {
    EDGESOCKS_SECRET: SECRET,
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
