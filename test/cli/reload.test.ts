import { writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, it } from "vitest";
import { createReload, watchSettings } from "../../cli/reload.ts";
import { Admission } from "../../protocol/admission.ts";
import { parseAddress } from "../../protocol/address.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { Command } from "../../protocol/wire.ts";
import { type RunningCommand, startCommand } from "../support/command.ts";
import { recordedLog } from "../support/log.ts";
import { connectRawAgent, type RawAgent } from "../support/raw-agent.ts";
import { startTarget, type Target } from "../support/target.ts";
import { tempFolder } from "../support/temp-folder.ts";

describe("createReload()", () => {
  const reloadOf = (load: () => { rules: number; listen: number }) => {
    const log = recordedLog();
    const took: number[] = [];
    const settings = { rules: 1, listen: 1 };
    const take = ({ rules }: { rules: number }): void => void took.push(rules);
    return { log, took, reload: createReload({ settings, load, take, taken: ["rules"], log }) };
  };

  it("lets the service take what has changed", () => {
    const { log, took, reload } = reloadOf(() => ({ rules: 2, listen: 1 }));
    reload();
    expect(took).toEqual([2]);
    expect(log.lines).toEqual(["info Took the changed settings"]);
  });

  it("names what needs a new start, once", () => {
    const { log, reload } = reloadOf(() => ({ rules: 2, listen: 2 }));
    reload();
    reload();
    const late = log.lines.filter((line) => line.includes("new start"));
    expect(late).toEqual(['warn Some changes need a new start {"settings":"listen"}']);
  });

  it("says why it takes nothing, and goes on", () => {
    const { log, took, reload } = reloadOf(() => {
      throw new ConfigError('Cannot use "rules" in x.toml: [0].action: expected allow or deny');
    });
    reload();
    expect(took).toEqual([]);
    expect(log.lines).toEqual([
      expect.stringMatching(/^error .* the old ones stay: .*\[0\]\.action/),
    ]);
  });
});

describe("watchSettings()", () => {
  it("notices a change that comes at once", async () => {
    const file = join(tempFolder(), "edge.toml");
    writeFileSync(file, "one\n");
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = watchSettings(file, resolve);
    // In the same turn, before anything else can have looked at the file.
    writeFileSync(file, "another\n");
    await promise;
    stop();
  });

  it("notices that a file has come", async () => {
    const file = join(tempFolder(), "edge.toml");
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = watchSettings(file, resolve);
    writeFileSync(file, "one\n");
    await promise;
    stop();
  });
});

describe("edgesocks edge, whose file changes", () => {
  const secret = "the secret of ann";
  const keys = `[[keys]]\nid = "ann"\nsecret = "${secret}"\n`;
  const running: RunningCommand[] = [];
  const agents: RawAgent[] = [];
  const targets: Target[] = [];

  afterEach(async () => {
    await Promise.all(agents.splice(0).map((agent) => agent.close()));
    await Promise.all(running.splice(0).map((command) => command.stop()));
    await Promise.all(targets.splice(0).map((target) => target.close()));
  });

  /** An edge with ann's key, her connection to an echo, and the lines of the edge's log. */
  async function startEdge() {
    const target = await startTarget((socket) => socket.pipe(socket));
    targets.push(target);
    const file = join(tempFolder(), "edge.toml");
    writeFileSync(file, keys);
    const flags = ["--allow-private", "--log-format", "json"];
    const edge = await startCommand([
      "edge",
      "--listen",
      "127.0.0.1:0",
      "--config",
      file,
      ...flags,
    ]);
    running.push(edge);
    if (!edge.child.stderr) throw new Error("The edge has no stderr");
    const log = createInterface({ input: edge.child.stderr });
    const url = new URL(`ws://127.0.0.1:${edge.portOf("edge")}/`);
    const connect = async (id = "ann", key = secret): Promise<RawAgent> => {
      const agent = await connectRawAgent(url, new Admission(id, key));
      agents.push(agent);
      return agent;
    };
    const told = async (words: string): Promise<void> => {
      for (let line = ""; !line.includes(words);) [line] = (await once(log, "line")) as [string];
    };
    const change = async (text: string, words: string): Promise<void> => {
      const telling = told(words);
      writeFileSync(file, text);
      edge.child.kill("SIGHUP");
      await telling;
    };
    return { edge, file, told, change, connect, target };
  }

  const open = (agent: RawAgent, port: number) => {
    const address = parseAddress("127.0.0.1", port);
    const { stream } = agent.session.open(Command.Connect, address, new Uint8Array());
    return { stream, answer: stream.answer() };
  };

  it("holds connected agents to its new rules, and drops no stream", async () => {
    const { change, connect, target } = await startEdge();
    const agent = await connect();
    const { stream, answer } = open(agent, target.port);
    await answer;
    await change(`rules = [{ action = "deny" }]\n${keys}`, "Took the changed settings");
    await expect(open(agent, target.port).answer).rejects.toMatchObject({ reason: "denied" });
    await stream.write(Uint8Array.of(7));
    expect(await stream.read()).toEqual(Uint8Array.of(7));
  });

  it("notices a change without a signal", async () => {
    const { told, file, connect, target } = await startEdge();
    const telling = told("Took the changed settings");
    writeFileSync(file, `rules = [{ action = "deny" }]\n${keys}`);
    await telling;
    const agent = await connect();
    await expect(open(agent, target.port).answer).rejects.toMatchObject({ reason: "denied" });
  });

  it("ends the sessions of a key that is gone, and takes a new one", async () => {
    const { change, connect, target } = await startEdge();
    const { stream, answer } = open(await connect(), target.port);
    await answer;
    await change(keys.replaceAll("ann", "eve"), "Took the changed settings");
    await expect(stream.read()).rejects.toThrow();
    agents.length = 0;
    await expect(connect()).rejects.toThrow();
    await open(await connect("eve", secret.replace("ann", "eve")), target.port).answer;
  });

  it.each([
    ["that is no TOML", "keys = [", "line 1"],
    ["with a bad rule", `rules = [{ action = "deny", ports = [0] }]\n${keys}`, "ports[0]"],
    ["with an unknown key", `hue = 1\n${keys}`, "hue"],
    ["without keys", "", "without a secret"],
    ["with a short secret", keys.replace(secret, "short"), "at least 16 characters"],
  ])("keeps the old settings when there is a new file %s", async (_what, text, words) => {
    const { change, connect, target } = await startEdge();
    await change(text, words);
    await open(await connect(), target.port).answer;
  });
});
