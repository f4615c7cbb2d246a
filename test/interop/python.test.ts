import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { expect } from "vitest";
import { startEcho, startUdpTarget } from "../support/echo-target.ts";
import { type Outcome, runProgram } from "../support/run-program.ts";
import { closedPort } from "../support/target.ts";
import { clients } from "./clients.ts";
import type { Feature } from "./conformance.ts";
import { describeClient, startGuarded, USER } from "./describe-client.ts";

const BODY = randomBytes(1_000_000);
/** Debian's, which has Debian's modules. */
const PYTHON = "/usr/bin/python3";

const PYSOCKS: readonly (readonly [Feature, string, string])[] = [
  ["SOCKS4", "socks4", "127.0.0.1"],
  ["SOCKS4a", "socks4a", "localhost"],
  ["SOCKS5", "socks5", "127.0.0.1"],
  ["SOCKS5, name", "socks5h", "localhost"],
  ["HTTP CONNECT", "http", "localhost"],
];

describeClient(clients.pysocks, ["node"], ({ edge, port, check }) => {
  const run = (...args: (string | number)[]): Promise<Outcome> =>
    python("pysocks-client.py", args, BODY);

  for (const [feature, kind, host] of PYSOCKS) {
    check(feature, "1 MB there and back, half-closed", async () => {
      expectEcho(await run(kind, port(), host, await startEcho()));
    });
  }

  check("password", "the right one, and a wrong one", async () => {
    const guarded = await startGuarded(edge);
    const target = ["socks5", guarded, "127.0.0.1", await startEcho()] as const;
    expectEcho(await run(...target, USER.name, USER.password));
    const wrong = await run(...target, USER.name, "wrong");
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain("SOCKS5 authentication failed");
  });

  check("UDP", "a datagram and its answer", async () => {
    const target = await startUdpTarget((request) => Buffer.concat([request, request]));
    const args = ["udp", port(), "127.0.0.1", target];
    const { code, stdout, stderr } = await python("pysocks-client.py", args, Buffer.from("twice"));
    expect(code, stderr).toBe(0);
    expect(stdout.toString()).toBe("twicetwice");
  });

  check("failures", "SOCKS5: refused is 5, no such name 4, denied 2", async () => {
    for (const [host, target, reply] of await failures()) {
      const { code, stderr } = await run("socks5h", port(), host, target);
      expect(code).toBe(1);
      expect(stderr).toContain(`0x0${reply}: `);
    }
  });
});

const PYTHON_SOCKS: readonly (readonly [Feature, string, string, string])[] = [
  ["SOCKS4", "socks4", "no", "127.0.0.1"],
  ["SOCKS4a", "socks4", "yes", "localhost"],
  ["SOCKS5", "socks5", "no", "127.0.0.1"],
  ["SOCKS5, name", "socks5", "yes", "localhost"],
  ["HTTP CONNECT", "http", "yes", "localhost"],
];

describeClient(clients.pythonSocks, ["node"], ({ edge, port, check }) => {
  const run = (...args: (string | number)[]): Promise<Outcome> =>
    python("python-socks-client.py", args, BODY);

  for (const [feature, scheme, rdns, host] of PYTHON_SOCKS) {
    check(feature, "1 MB there and back, half-closed", async () => {
      expectEcho(await run(scheme, rdns, `127.0.0.1:${port()}`, host, await startEcho()));
    });
  }

  check("password", "the right one, and a wrong one, by SOCKS5 and HTTP", async () => {
    const guarded = `127.0.0.1:${await startGuarded(edge)}`;
    const target = ["127.0.0.1", await startEcho()] as const;
    for (const scheme of ["socks5", "http"]) {
      const password = encodeURIComponent(USER.password);
      expectEcho(await run(scheme, "no", `${USER.name}:${password}@${guarded}`, ...target));
      const wrong = await run(scheme, "no", `${USER.name}:wrong@${guarded}`, ...target);
      expect(wrong.code).toBe(1);
      expect(wrong.stderr).toContain("ProxyError");
    }
  });

  check("failures", "SOCKS5: refused is 5, no such name 4, denied 2", async () => {
    for (const [host, target, reply] of await failures()) {
      const { code, stderr } = await run("socks5", "yes", `127.0.0.1:${port()}`, host, target);
      expect(code).toBe(1);
      expect(stderr).toContain(`ProxyError ${reply}:`);
    }
  });
});

/** Targets that cannot be had, and the REP of RFC 1928 for each. */
async function failures(): Promise<[string, number, number][]> {
  return [
    ["127.0.0.1", await closedPort(), 5],
    ["missing.invalid", 80, 4],
    ["127.0.0.1", 25, 2],
  ];
}

function python(
  script: string,
  args: readonly (string | number)[],
  input: Uint8Array,
): Promise<Outcome> {
  return runProgram(PYTHON, [join(import.meta.dirname, script), ...args.map(String)], { input });
}

function expectEcho({ code, stdout, stderr }: Outcome): void {
  expect(code, stderr).toBe(0);
  expect(BODY.equals(stdout)).toBe(true);
}
