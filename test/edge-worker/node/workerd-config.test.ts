import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { ipv4Blocks, ipv6Blocks } from "../../../edge-worker/policy/special-registry.ts";
import { parseAddress } from "../../../protocol/address.ts";
import {
  formatWorkerdConfig,
  socketName,
  type WorkerdConfig,
} from "../../../edge-worker/node/workerd-config.ts";

const config: WorkerdConfig = {
  stateFolder: "/var/lib/edge",
  listen: [{ host: "127.0.0.1", port: 8443 }],
  runnerPath: "/tmp/some folder/runner.sock",
  allowPrivate: false,
  connectTimeoutMs: 15_000,
  resumption: { resumeWindow: 60, resumeMemory: 33_554_432 },
  bridge: "durable",
  maxDials: 512,
  hasIpv6: false,
  outbound: {
    dnsUrls: ["http://127.0.0.1:5300/dns-query"],
    udp: "dns",
    udpIdleTimeoutMs: 60_000,
    turn: undefined,
    bind: { host: undefined, ports: undefined },
  },
  trusted: [],
};

const turn = {
  url: { server: parseAddress("turn.example", 5349), isSecure: true },
  username: "ann",
  password: "a password",
};

const format = (changes: Partial<WorkerdConfig> = {}): Promise<string> =>
  formatWorkerdConfig({ ...config, ...changes });

/** The network that the Worker's connect() goes out by: what `allow` lists. */
async function allowedNetworks(allowPrivate: boolean, named?: string): Promise<string[]> {
  const text = await format({ allowPrivate });
  const outbound = named ?? /globalOutbound = "([^"]+)"/.exec(text)?.[1];
  const service = new RegExp(`name = "${outbound}", network = \\(\\s*allow = \\[([^\\]]*)\\]`).exec(
    text,
  );
  return [...(service?.[1] ?? "").matchAll(/"([^"]+)"/g)].map(([, name = ""]) => name);
}

describe("formatWorkerdConfig()", () => {
  it.each([
    ["127.0.0.1", 8443, "127.0.0.1:8443"],
    ["::1", 0, "[::1]:0"],
    ["localhost", 80, "localhost:80"],
  ])("listens on %s", async (host, port, address) => {
    expect(await format({ listen: [{ host, port }] })).toContain(`address = "${address}"`);
  });

  it("has a socket for each place to listen at, by a name of its own", async () => {
    const text = await format({ listen: [{ host: "::1", port: 1 }, { path: "/run/edge.sock" }] });
    expect(text).toContain(`(name = "${socketName(0)}", address = "[::1]:1", http`);
    expect(text).toContain(`(name = "${socketName(1)}", address = "unix:/run/edge.sock", http`);
  });

  it("lets the Worker ask whether it is to stop, by a Unix socket", async () => {
    const text = await format();
    expect(text).toContain('(name = "RUNNER", service = "runner")');
    expect(text).toContain('address = "unix:/tmp/some folder/runner.sock"');
  });

  it("binds each setting by the name that the Worker reads", async () => {
    const text = await format({ allowPrivate: true, bridge: "stateless" });
    for (const binding of [
      '(name = "BRIDGE", text = "stateless")',
      '(name = "ALLOW_PRIVATE", text = "true")',
      '(name = "CONNECT_TIMEOUT_MS", text = "15000")',
      '(name = "MAX_DIALS", text = "512")',
      '(name = "HAS_IPV6", text = "false")',
      '(name = "DNS_URL", text = "http://127.0.0.1:5300/dns-query")',
      '(name = "CLOUDFLARE_DNS_URL", text = "")',
      '(name = "UDP", text = "dns")',
      '(name = "UDP_IDLE_TIMEOUT_MS", text = "60000")',
      '(name = "BRIDGES", durableObjectNamespace = "DurableBridge")',
    ]) {
      expect(text).toContain(binding);
    }
  });

  it("has no keys in it: the Worker asks its runner for them", async () => {
    const text = await format();
    expect(text).toContain('(name = "RUNNER", service = "runner")');
    expect(text).not.toContain("EDGESOCKS_KEYS");
  });

  it("names the TURN server, but neither user nor password", async () => {
    const text = await format({ outbound: { ...config.outbound, udp: "turn", turn } });
    expect(text).toContain('(name = "TURN_URL", text = "turns:turn.example:5349?transport=tcp")');
    expect(text).toContain('(name = "TURN_USERNAME", fromEnvironment = "TURN_USERNAME")');
    expect(text).toContain('(name = "TURN_PASSWORD", fromEnvironment = "TURN_PASSWORD")');
    expect(text).not.toContain(turn.password);
    expect(await format()).not.toContain("TURN_");
  });

  it("reaches what its operator has named wherever that is, and trusts its certificates", async () => {
    expect(await allowedNetworks(false, "operator")).toEqual(["public", "private"]);
    const text = await format({ trusted: ["-----BEGIN CERTIFICATE-----\nMII\n"] });
    expect(text).toContain('(name = "OPERATOR_NETWORK", service = "operator")');
    expect(text).toContain('["-----BEGIN CERTIFICATE-----\\nMII\\n"]');
  });

  it("has the compatibility date of wrangler.toml", async () => {
    const wrangler = await readFile(new URL("../../../wrangler.toml", import.meta.url), "utf8");
    const date = /^compatibility_date = "(.+)"$/m.exec(wrangler)?.[1];
    expect(await format()).toContain(`compatibilityDate = "${date}"`);
  });

  it("declares the Durable Object, and keeps its storage on disk, where it is SQLite", async () => {
    const text = await format();
    expect(text).toContain('className = "DurableBridge"');
    expect(text).toContain('durableObjectStorage = (localDisk = "state")');
    expect(text).toContain('name = "state", disk = (path = "/var/lib/edge", writable = true)');
  });

  it("keeps a value with quotes within its text", async () => {
    const dnsUrl = 'http://127.0.0.1/"), evil = ("';
    const outbound = { ...config.outbound, dnsUrls: [dnsUrl] };
    expect(await format({ outbound })).toContain(`text = ${JSON.stringify(dnsUrl)})`);
  });

  it("lets connect() reach the public internet", async () => {
    expect(await allowedNetworks(false)).toContain("public");
    expect(await allowedNetworks(true)).toEqual(expect.arrayContaining(["public", "private"]));
  });

  it("keeps connect() off private networks unless they are allowed", async () => {
    // The policy sees names, and workerd resolves them: only this stops a name that is private.
    expect(await allowedNetworks(false)).toEqual(["public"]);
  });

  it("denies connect() every special-purpose block, unless private networks are allowed", async () => {
    const denied = /deny = \[([^\]]*)\]/.exec(await format())?.[1] ?? "";
    const prefixes = [...denied.matchAll(/"([^"]+)"/g)].map(([, prefix]) => prefix);
    expect(prefixes).toEqual([...ipv4Blocks, ...ipv6Blocks].map(([prefix]) => prefix));
    expect(await format({ allowPrivate: true })).not.toContain("deny");
  });
});
