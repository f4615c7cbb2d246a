import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import { type Outcome, runProgram } from "../support/run-program.ts";
import { closedPort } from "../support/target.ts";
import { GREETING, startWebTarget } from "../support/web-target.ts";
import { clients } from "./clients.ts";
import type { Feature } from "./conformance.ts";
import { describeClient, startGuarded, USER } from "./describe-client.ts";

const BODY = randomBytes(1_000_000);
/** Exit codes of curl(1). */
const PROXY_FAILED = 97;
const RECEIVE_FAILED = 56;

/** Each way of curl(1) to a proxy: its options before the proxy's address, and a target's name. */
const WAYS: readonly (readonly [Feature, string[], string])[] = [
  ["SOCKS4", ["--socks4"], "127.0.0.1"],
  ["SOCKS4a", ["--socks4a"], "localhost"],
  ["SOCKS5", ["--socks5"], "127.0.0.1"],
  ["SOCKS5, name", ["--socks5-hostname"], "localhost"],
  ["HTTP", ["--proxy"], "127.0.0.1"],
  ["HTTP CONNECT", ["--proxytunnel", "--proxy"], "127.0.0.1"],
];

describeClient(clients.curl, ["node", "workerd"], ({ edge, port, check }) => {
  for (const [feature, options, host] of WAYS) {
    check(feature, "GET, and POST of 1 MB that comes back the same", async () => {
      const target = await startWebTarget();
      const proxied = (...args: string[]): Promise<Outcome> =>
        curl([...options, proxyUrl(feature, port()), ...args, `http://${host}:${target}/`], BODY);
      const got = await proxied();
      expect(got).toMatchObject({ code: 0, stderr: "" });
      expect(got.stdout.toString()).toBe(GREETING);
      const echoed = await proxied("--data-binary", "@-");
      expect(echoed).toMatchObject({ code: 0, stderr: "" });
      expect(BODY.equals(echoed.stdout)).toBe(true);
    });
  }

  check("SOCKS5", "a target at [::1]", async () => {
    const target = await startWebTarget("::1");
    const got = await curl(["--socks5", `127.0.0.1:${port()}`, `http://[::1]:${target}/`]);
    expect(got).toMatchObject({ code: 0, stderr: "" });
    expect(got.stdout.toString()).toBe(GREETING);
  });

  check("password", "-U with --socks5, -x and -p; a wrong one is turned away", async () => {
    const guarded = `127.0.0.1:${await startGuarded(edge)}`;
    const url = `http://127.0.0.1:${await startWebTarget()}/`;
    const ways = [["--socks5"], ["--proxy"], ["--proxytunnel", "--proxy"]];
    for (const way of ways) {
      const user = `${USER.name}:${USER.password}`;
      const got = await curl([...way, guarded, "-U", user, url]);
      expect(got, way.join(" ")).toMatchObject({ code: 0, stderr: "" });
      expect(got.stdout.toString()).toBe(GREETING);
    }
    const wrong = await curl(["--socks5", guarded, "-U", `${USER.name}:wrong`, url]);
    expect(wrong.code).toBe(PROXY_FAILED);
    expect(wrong.stderr).toContain("User was rejected by the SOCKS5 server");
    const status = ["-o", "/dev/null", "-w", "%{http_code} %{http_connect}"];
    const asked = await curl([...status, "--proxy", guarded, url]);
    expect(asked.stdout.toString()).toBe("407 000");
    const tunnel = await curl([...status, "--proxytunnel", "--proxy", guarded, url]);
    expect(tunnel.code).toBe(RECEIVE_FAILED);
    expect(tunnel.stdout.toString()).toBe("000 407");
  });

  check("password", "SOCKS4 with NAME:PASSWORD as the user id", async () => {
    const guarded = `127.0.0.1:${await startGuarded(edge)}`;
    const url = `http://127.0.0.1:${await startWebTarget()}/`;
    // curl sends what stands before the colon; %3A is one that belongs to the name.
    const id = `${USER.name}%3A${encodeURIComponent(USER.password)}`;
    const got = await curl(["--proxy", `socks4://${id}@${guarded}`, url]);
    expect(got).toMatchObject({ code: 0, stderr: "" });
    const wrong = await curl(["--socks4", guarded, "-U", USER.name, url]);
    expect(wrong.code).toBe(PROXY_FAILED);
  });

  check("failures", "SOCKS5: refused is 5, no such name 4, denied 2", async () => {
    const socks5 = (url: string): Promise<Outcome> =>
      curl(["--socks5-hostname", `127.0.0.1:${port()}`, url]);
    const expected = [
      [`http://127.0.0.1:${await closedPort()}/`, "(5)"],
      ["http://missing.invalid/", "(4)"],
      ["http://127.0.0.1:25/", "(2)"],
    ] as const;
    for (const [url, reply] of expected) {
      const { code, stderr } = await socks5(url);
      expect({ url, code }).toEqual({ url, code: PROXY_FAILED });
      expect(stderr).toContain("Can't complete SOCKS5 connection");
      expect(stderr).toContain(reply);
    }
  });

  check("failures", "SOCKS4 and SOCKS4a: 91", async () => {
    const expected = [
      ["--socks4", `http://127.0.0.1:${await closedPort()}/`],
      ["--socks4a", "http://missing.invalid/"],
      ["--socks4", "http://127.0.0.1:25/"],
    ] as const;
    for (const [way, url] of expected) {
      const { code, stderr } = await curl([way, `127.0.0.1:${port()}`, url]);
      expect({ url, code }).toEqual({ url, code: PROXY_FAILED });
      expect(stderr).toContain("(91)");
    }
  });

  check("failures", "HTTP: 502, 502 and 403, plain and in answer to CONNECT", async () => {
    const expected = [
      [`http://127.0.0.1:${await closedPort()}/`, "502"],
      ["http://missing.invalid/", "502"],
      ["http://127.0.0.1:25/", "403"],
    ] as const;
    const status = ["-o", "/dev/null", "-w", "%{http_code} %{http_connect}"];
    for (const [url, answer] of expected) {
      const proxy = ["--proxy", `http://127.0.0.1:${port()}`, url];
      const plain = await curl([...status, ...proxy]);
      expect(plain, url).toMatchObject({ code: 0, stderr: "" });
      expect(plain.stdout.toString(), url).toBe(`${answer} 000`);
      const tunnel = await curl([...status, "--proxytunnel", ...proxy]);
      expect(tunnel.code, url).toBe(RECEIVE_FAILED);
      expect(tunnel.stdout.toString(), url).toBe(`000 ${answer}`);
    }
  });
});

function proxyUrl(feature: Feature, port: number): string {
  return feature.startsWith("HTTP") ? `http://127.0.0.1:${port}` : `127.0.0.1:${port}`;
}

function curl(args: readonly string[], input?: Uint8Array): Promise<Outcome> {
  const options = ["--disable", "--silent", "--show-error", "--max-time", "30", "--noproxy", ""];
  return runProgram("curl", [...options, ...args], input ? { input } : {});
}
