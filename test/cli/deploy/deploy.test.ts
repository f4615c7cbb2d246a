import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { serveEdge } from "../../../edge-worker/node/serve.ts";
import { serveWorkerdEdge } from "../../../edge-worker/node/serve-workerd.ts";
import { type CliOutcome, runCli } from "../../support/cli.ts";
import { type Behaviour, type FakeWrangler, fakeWrangler } from "../../support/fake-wrangler.ts";
import { Admission } from "../../../protocol/admission.ts";
import { edgeDoor } from "../../support/edge-door.ts";
import { recordedLog } from "../../support/log.ts";
import { findProgram } from "../../support/program.ts";
import { connectRawAgent } from "../../support/raw-agent.ts";
import { runProgram } from "../../support/run-program.ts";
import { closedPort } from "../../support/target.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const COMMAND = fileURLToPath(new URL("../../../bin/edgesocks.js", import.meta.url));
const SECRET = "a-secret-long-enough-to-be-one";
const ADDRESS = "https://edgesocks.somebody.workers.dev";

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** The real Worker on workerd, in the place of the one that would be put up. */
async function startWorker(
  ...keys: { readonly id: string; readonly secret: string }[]
): Promise<string> {
  const worker = await serveWorkerdEdge({
    listen: edgeDoor.listen,
    access: { keys: keys.length > 0 ? keys : [{ id: "default", secret: SECRET }], rules: [] },
    allowPrivate: false,
    connectTimeoutMs: 1000,
    maxDials: 16,
    bridge: "durable",
    log: recordedLog(),
  });
  stops.push(() => worker.stop(0));
  return `ws://127.0.0.1:${worker.port}/`;
}

/** An edge that holds another secret than we do. */
async function startStrangersEdge(): Promise<string> {
  const edge = await serveEdge({
    ...edgeDoor,
    access: { keys: [{ id: "default", secret: "the secret of somebody else" }], rules: [] },
    allowPrivate: false,
    connectTimeoutMs: 1000,
    maxDials: 16,
    log: recordedLog(),
  });
  stops.push(() => edge.stop(0));
  return `ws://127.0.0.1:${edge.port}/`;
}

const loggedIn: Behaviour = { says: ['{"loggedIn": true}'] };
const deployed: Behaviour = {
  says: ["Uploaded edgesocks (1.23 sec)", `  ${ADDRESS}`],
  output: { type: "deploy", targets: [ADDRESS] },
};

/** Runs `edgesocks deploy` with a fake wrangler in PATH. */
async function deploy(
  args: readonly string[],
  behaviours: Readonly<Record<string, Behaviour>> = {},
  variables: Readonly<Record<string, string>> = { EDGESOCKS_SECRET: SECRET },
): Promise<CliOutcome & { calls: FakeWrangler["calls"]; temp: string }> {
  const wrangler = fakeWrangler({ whoami: loggedIn, deploy: deployed, ...behaviours });
  const temp = tempFolder();
  const PATH = [wrangler.folder, process.env["PATH"]].join(delimiter);
  const folder = tempFolder();
  const outcome = await runCli(["deploy", ...args], { PATH, TMPDIR: temp, ...variables }, folder);
  return { ...outcome, calls: wrangler.calls, temp };
}

const errorOf = ({ stderr }: CliOutcome): string => /^edgesocks: .*$/m.exec(stderr)?.[0] ?? "";

describe("edgesocks deploy", () => {
  it("puts up Worker and secret, waits for it, and tells how to start the agent", async () => {
    const url = await startWorker();
    const outcome = await deploy([
      "--worker-url",
      url,
      "--name",
      "my-edge",
      "--location-hint",
      "weur",
    ]);
    expect({ code: outcome.code, error: errorOf(outcome) }).toEqual({ code: 0, error: "" });
    expect(outcome.stdout).toContain(`edgesocks agent --edge ${url}\n`);
    expect(outcome.stdout).toContain("EDGESOCKS_SECRET");
    const [before, after] = outcome.stderr.split("wrangler: Uploaded edgesocks");
    expect(before).toContain(`Agents at ${url} have 3 s to leave it`);
    expect(after).toBeDefined();

    const [whoami, upload, secret, ...others] = outcome.calls();
    expect(others).toEqual([]);
    expect(whoami?.args).toEqual(["whoami", "--json"]);
    expect(upload?.args.slice(0, 2)).toEqual(["deploy", "--config"]);
    expect(upload?.hasBundle).toBe(true);
    expect(upload?.config).toMatchObject({
      name: "my-edge",
      main: "worker.js",
      vars: { BRIDGE: "durable", LOCATION_HINT: "weur" },
    });
    expect(secret?.args.slice(0, 3)).toEqual(["secret", "bulk", "--config"]);
    expect(secret?.config).toMatchObject({ name: "my-edge" });
    const secrets = { EDGESOCKS_SECRET: SECRET, EDGESOCKS_KEYS: null };
    expect(JSON.parse(secret?.input ?? "")).toEqual(secrets);
  });

  it("shows the secret nowhere but on the standard input of `wrangler secret bulk`", async () => {
    const url = await startWorker();
    const talkative = { secret: { isTalkative: true } };
    const outcome = await deploy(["--worker-url", url, "--log-level", "debug"], talkative);
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toContain('{"EDGESOCKS_SECRET":"***","EDGESOCKS_KEYS":null}');
    expect(outcome.stdout + outcome.stderr).not.toContain(SECRET);
    for (const { args, environment, config, input } of outcome.calls()) {
      expect(JSON.stringify({ args, environment, config })).not.toContain(SECRET);
      expect(input.includes(SECRET)).toBe(args[0] === "secret");
    }
  });

  it("proves that it got in: with the key id that the Worker has", async () => {
    const url = await startWorker({ id: "mine", secret: SECRET });
    const outcome = await deploy(["--worker-url", url, "--key-id", "mine"]);
    expect(errorOf(outcome)).toBe("");
    expect(outcome.stdout).toContain(`edgesocks agent --edge ${url} --key-id mine\n`);
  });

  it("names the file of the secret in the agent's line", async () => {
    const url = await startWorker();
    const folder = tempFolder({ "edge.secret": `${SECRET}\n` });
    const file = join(folder, "edge.secret");
    const outcome = await deploy(["--worker-url", url, "--secret-file", file], {}, {});
    expect(outcome.stdout).toContain(`edgesocks agent --edge ${url} --secret-file ${file}\n`);
  });

  it("puts several keys, and gets in by one of them", async () => {
    const ann = { id: "ann", secret: 'a "quoted" secret of ann', expires: "2020-01-31" };
    const bob = { id: "bob", secret: 'a "quoted" secret of bob' };
    const url = await startWorker(bob);
    const variables = { EDGESOCKS_KEYS: JSON.stringify([ann, bob]) };
    const outcome = await deploy(
      ["--worker-url", url],
      { secret: { isTalkative: true } },
      variables,
    );
    expect({ code: outcome.code, error: errorOf(outcome) }).toEqual({ code: 0, error: "" });
    expect(outcome.stdout).toContain(`edgesocks agent --edge ${url} --key-id bob\n`);
    expect(outcome.stdout + outcome.stderr).not.toContain("secret of");
    const input = JSON.parse(outcome.calls()[2]?.input ?? "") as Record<string, string | null>;
    expect(input["EDGESOCKS_SECRET"]).toBeNull();
    expect(JSON.parse(input["EDGESOCKS_KEYS"] ?? "")).toEqual([ann, bob]);
  });

  it("asks the agents of all its keys to leave before it puts up the Worker", async () => {
    const ann = { id: "ann", secret: "the secret of ann, long" };
    const bob = { id: "bob", secret: "the secret of bob, long" };
    const url = await startWorker(ann, bob);
    const agents = await Promise.all(
      [ann, bob].map(({ id, secret }) => connectRawAgent(new URL(url), new Admission(id, secret))),
    );
    const left = Promise.all(agents.map(({ drained, closed }) => Promise.all([drained, closed])));
    const variables = { EDGESOCKS_KEYS: JSON.stringify([ann, bob]) };
    // The Worker is not replaced here, and so takes nobody for a while.
    const args = ["--worker-url", url, "--drain-timeout", "30", "--health-timeout", "1"];
    const outcome = await deploy(args, {}, variables);
    expect((await left).map(([drainMs]) => drainMs)).toEqual([30_000, 30_000]);
    expect(errorOf(outcome)).toContain("let us in within 1 s: it answered 503");
    const [before, after] = outcome.stderr.split("wrangler: Uploaded edgesocks");
    expect(before).toContain(`Agents at ${url} have 30 s to leave it`);
    expect(after).not.toContain("older version");
  });

  it("puts no secret where a KV namespace has the keys", async () => {
    const url = await startWorker();
    const folder = tempFolder({
      "kv.toml": `name = "edgesocks"
compatibility_date = "2026-10-01"
[[durable_objects.bindings]]
name = "BRIDGES"
class_name = "DurableBridge"
[[kv_namespaces]]
binding = "KEYS"
id = "0123456789abcdef0123456789abcdef"
`,
    });
    const file = join(folder, "kv.toml");
    const outcome = await deploy(["--worker-url", url, "--wrangler-config", file]);
    expect({ code: outcome.code, error: errorOf(outcome) }).toEqual({ code: 0, error: "" });
    expect(outcome.calls().map(({ args }) => args[0])).toEqual(["whoami", "deploy"]);
  });

  it("leaves no files behind, however it ends", async () => {
    const { temp } = await deploy(["--worker-url", await startWorker()]);
    expect(readdirSync(temp)).toEqual([]);
    const failed = await deploy([], { deploy: { code: 1 } });
    expect(readdirSync(failed.temp)).toEqual([]);
  });

  it("exits with 1 and wrangler's words when it cannot put up the Worker", async () => {
    const says = ["✘ [ERROR] You need to register a workers.dev subdomain", "at some page"];
    const outcome = await deploy([], { deploy: { code: 1, says } });
    expect({ code: outcome.code, stdout: outcome.stdout }).toEqual({ code: 1, stdout: "" });
    expect(errorOf(outcome)).toBe(
      "edgesocks: Cannot put up the Worker by wrangler deploy: it ended with code 1 and says " +
        '"You need to register a workers.dev subdomain at some page"',
    );
    expect(outcome.calls().map(({ args }) => args[0])).toEqual(["whoami", "deploy"]);
  });

  it("exits with 1 when it cannot put the secret", async () => {
    const outcome = await deploy([], { secret: { code: 1, says: ["✘ [ERROR] no"] } });
    expect(outcome.code).toBe(1);
    expect(errorOf(outcome)).toContain("Cannot put the secret by wrangler secret");
  });

  it("exits with 1 when wrangler does not say where the Worker is", async () => {
    const outcome = await deploy([], { deploy: { says: ["done"] } });
    expect(outcome.code).toBe(1);
    expect(errorOf(outcome)).toContain("Give it by --worker-url");
  });

  it("exits with 1 when the Worker does not come up in time", async () => {
    const url = `ws://127.0.0.1:${await closedPort()}/`;
    const outcome = await deploy(["--worker-url", url, "--health-timeout", "1"]);
    expect({ code: outcome.code, stdout: outcome.stdout }).toEqual({ code: 1, stdout: "" });
    expect(errorOf(outcome)).toMatch(/Cannot see ws:\S+ be healthy within 1 s: .*ECONNREFUSED/);
  });

  it("exits with 1 when the Worker does not take the secret", async () => {
    const outcome = await deploy([
      "--worker-url",
      await startStrangersEdge(),
      "--health-timeout",
      "1",
    ]);
    expect({ code: outcome.code, stdout: outcome.stdout }).toEqual({ code: 1, stdout: "" });
    expect(errorOf(outcome)).toMatch(
      /Cannot see ws:\S+ let us in within 1 s: it answered 200 instead/,
    );
  });

  it.each([
    [
      "nobody is logged in",
      [],
      { whoami: { code: 1, says: ['{"loggedIn":false}'] } },
      "not logged in",
    ],
    ["a placement does not fit", ["--placement", "smart"], {}, "use location-hint"],
    ["a variable is wrong", ["--worker-vars", "DNS_URL=x"], {}, "expected a URL"],
    ["wrangler.toml is missing", ["--wrangler-config", "none.toml"], {}, "Cannot read none.toml"],
  ] as const)(
    "exits with 2, and puts nothing up, when %s",
    async (_when, args, behaviours, text) => {
      const outcome = await deploy(args, behaviours);
      expect({ code: outcome.code, stdout: outcome.stdout }).toEqual({ code: 2, stdout: "" });
      expect(errorOf(outcome)).toContain(text);
      const asked = outcome.calls().filter(({ args }) => args[0] !== "whoami");
      expect(asked).toEqual([]);
    },
  );

  it.each([
    ["there is no secret", {}, "Cannot start without a secret"],
    ["the secret is short", { EDGESOCKS_SECRET: "hunter2" }, "fewer than 16 characters"],
  ])("exits with 2, and asks nobody, when %s", async (_when, variables, text) => {
    const outcome = await deploy([], {}, variables);
    expect({ code: outcome.code, calls: outcome.calls() }).toEqual({ code: 2, calls: [] });
    expect(errorOf(outcome)).toContain(text);
    expect(outcome.stderr).not.toContain("hunter2");
  });

  it("exits with 2 for a compatibility date that no workerd knows", async () => {
    const folder = tempFolder({
      "new.toml": `name = "edgesocks"
compatibility_date = "2999-01-01"
[[durable_objects.bindings]]
name = "BRIDGES"
class_name = "DurableBridge"
`,
    });
    const outcome = await deploy(["--wrangler-config", join(folder, "new.toml")]);
    expect({ code: outcome.code, calls: outcome.calls() }).toEqual({ code: 2, calls: [] });
    expect(errorOf(outcome)).toContain("Cannot use compatibility_date 2999-01-01");
  });

  it("is called off by a signal, and takes wrangler with it", async () => {
    const wrangler = fakeWrangler({ whoami: loggedIn, deploy: { hangs: true } });
    const temp = tempFolder();
    const PATH = [wrangler.folder, process.env["PATH"]].join(delimiter);
    const child = spawn(process.execPath, [COMMAND, "deploy"], {
      cwd: tempFolder(),
      env: { PATH, TMPDIR: temp, EDGESOCKS_SECRET: SECRET },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const exited = once(child, "exit");
    for await (const line of createInterface({ input: child.stderr })) {
      if (line.includes("hanging")) child.kill("SIGTERM");
    }
    expect(await exited).toEqual([130, null]);
    expect(readdirSync(temp)).toEqual([]);
  });
});

/** Whether programs can be run in a network of their own, from which nothing can be reached. */
const canCutOff =
  findProgram("unshare") !== undefined && (await runProgram("unshare", ["-n", "true"])).code === 0;

describe("edgesocks deploy --dry-run", () => {
  it("says what would be put up, without account, network and secret", async (context) => {
    context.skip(!canCutOff, "unshare -n is not allowed here: this needs root");
    const home = tempFolder();
    const { code, stdout, stderr } = await runProgram(
      "unshare",
      ["-n", process.execPath, COMMAND, "deploy", "--dry-run", "--name", "my-edge"],
      { env: { HOME: home, PATH: "/usr/bin:/bin" }, cwd: tempFolder() },
    );
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const report = stdout.toString();
    expect(report).toMatch(/^Dry run: nothing is put up\.$/m);
    expect(report).toMatch(/^ {2}Worker +my-edge$/m);
    expect(report).toMatch(/^ {2}bundle +\d+\.\d KiB, \d+\.\d KiB gzipped: within 64 MiB/m);
    expect(report).toMatch(/^ {2}secret +none yet/m);
    // What wrangler itself sees in the bundle and its configuration.
    expect(stderr).toContain("env.BRIDGES (DurableBridge)");
    expect(stderr).toContain("--dry-run: exiting now");
  });

  it("has the real wrangler take every setting that goes into its configuration", async () => {
    const real = fileURLToPath(new URL("../../../node_modules/.bin", import.meta.url));
    const ours = "--domain edge.example.com --workers-dev false --bridge stateless";
    const place = "--placement aws:eu-central-1 --account-id 0123456789abcdef0123456789abcdef";
    const variablesOfWorker = "--connect-timeout 5 --key-id mine --worker-vars ALLOW_PRIVATE=true";
    const args = `${ours} ${place} ${variablesOfWorker}`.split(" ");
    const PATH = [real, process.env["PATH"]].join(delimiter);
    const variables = { PATH, HOME: tempFolder(), EDGESOCKS_SECRET: SECRET };
    const outcome = await runCli(["deploy", "--dry-run", ...args], variables, tempFolder());
    expect({ code: outcome.code, error: errorOf(outcome) }).toEqual({ code: 0, error: "" });
    expect(outcome.stderr).not.toMatch(/WARNING|Unexpected fields/);
    expect(outcome.stderr).toContain('env.CONNECT_TIMEOUT_MS ("5000")');
    expect(outcome.stdout).toMatch(/^ {2}secret +EDGESOCKS_SECRET$/m);
    expect(outcome.stdout + outcome.stderr).not.toContain(SECRET);
  });

  it("asks wrangler for a dry run only", async () => {
    const outcome = await deploy(["--dry-run"], { deploy: { code: 1 } }, {});
    expect(outcome.code).toBe(1);
    const [call, ...others] = outcome.calls();
    expect(others).toEqual([]);
    expect(call?.args.slice(0, 2)).toEqual(["deploy", "--dry-run"]);
  });

  it("refuses a short secret, as deploy would", async () => {
    const outcome = await deploy(["--dry-run"], {}, { EDGESOCKS_SECRET: "hunter2" });
    expect({ code: outcome.code, calls: outcome.calls() }).toEqual({ code: 2, calls: [] });
  });
});
