import { join } from "node:path";
import { expect } from "vitest";
import { type Outcome, runProgram } from "../support/run-program.ts";
import { closedPort } from "../support/target.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { GREETING, startWebTarget } from "../support/web-target.ts";
import { clients } from "./clients.ts";
import type { Feature } from "./conformance.ts";
import { describeClient, startGuarded, USER } from "./describe-client.ts";

/** curl as a program that knows of no proxy. */
const CURL = ["curl", "--disable", "--silent", "--show-error", "--max-time", "30"];
const COULD_NOT_CONNECT = 7;
/** tsocks shakes hands after connect() has returned, so that it can only end the connection. */
const EMPTY_ANSWER = 52;

const PROXYCHAINS: readonly (readonly [Feature, string, string])[] = [
  ["SOCKS4", "socks4", "127.0.0.1"],
  ["SOCKS5", "socks5", "127.0.0.1"],
  ["SOCKS5, name", "socks5", "localhost"],
  ["HTTP CONNECT", "http", "127.0.0.1"],
];

describeClient(clients.proxychains, ["node"], ({ edge, port, check, streamsOpened }) => {
  for (const [feature, type, host] of PROXYCHAINS) {
    check(feature, "GET by a curl that knows of no proxy", async () => {
      const url = `http://${host}:${await startWebTarget()}/`;
      const before = await streamsOpened();
      expectGreeting(await proxychains(`${type} 127.0.0.1 ${port()}`, url));
      expect(await streamsOpened()).toBe(before + 1);
    });
  }

  check("password", "by SOCKS5 and HTTP", async () => {
    // A line of its configuration is split at blanks, so that the password can have none.
    const password = "sesame";
    const guarded = await startGuarded(edge, { ...USER, password });
    const url = `http://127.0.0.1:${await startWebTarget()}/`;
    for (const type of ["socks5", "http"]) {
      const line = `${type} 127.0.0.1 ${guarded} ${USER.name}`;
      expectGreeting(await proxychains(`${line} ${password}`, url));
      expect((await proxychains(`${line} wrong`, url)).code).toBe(COULD_NOT_CONNECT);
    }
  });

  check("failures", "curl is told that it cannot connect", async () => {
    const url = `http://127.0.0.1:${await closedPort()}/`;
    const { code } = await proxychains(`socks5 127.0.0.1 ${port()}`, url);
    expect(code).toBe(COULD_NOT_CONNECT);
  });
});

describeClient(clients.tsocks, ["node"], ({ edge, port, check, streamsOpened }) => {
  for (const version of [4, 5] as const) {
    check(`SOCKS${version}`, "GET by a curl that knows of no proxy", async () => {
      const url = await unspecifiedUrl();
      const before = await streamsOpened();
      expectGreeting(await tsocks({ port: port(), version }, url));
      expect(await streamsOpened()).toBe(before + 1);
    });
  }

  check("password", "the right one, and a wrong one", async () => {
    const password = "sesame";
    const guarded = await startGuarded(edge, { ...USER, password });
    const url = await unspecifiedUrl();
    const way = { port: guarded, version: 5 } as const;
    expectGreeting(await tsocks({ ...way, password }, url));
    expect((await tsocks({ ...way, password: "wrong" }, url)).code).toBe(EMPTY_ANSWER);
  });

  check("failures", "curl sees the connection end", async () => {
    const url = `http://0.0.0.0:${await closedPort()}/`;
    expect((await tsocks({ port: port(), version: 5 }, url)).code).toBe(EMPTY_ANSWER);
  });
});

/** tsocks never sends 127.0.0.0/8 through a proxy; the edge's 0.0.0.0 is its loopback too. */
async function unspecifiedUrl(): Promise<string> {
  return `http://0.0.0.0:${await startWebTarget()}/`;
}

function expectGreeting({ code, stdout, stderr }: Outcome): void {
  expect(code, stderr).toBe(0);
  expect(stdout.toString()).toBe(GREETING);
}

function proxychains(proxy: string, url: string): Promise<Outcome> {
  const lines = ["strict_chain", "quiet_mode", "proxy_dns", "[ProxyList]", proxy, ""];
  const folder = tempFolder({ "proxychains.conf": lines.join("\n") });
  const file = join(folder, "proxychains.conf");
  return runProgram("proxychains4", ["-q", "-f", file, ...CURL, url]);
}

function tsocks(
  { port, version, password }: { port: number; version: 4 | 5; password?: string },
  url: string,
): Promise<Outcome> {
  const server = ["server = 127.0.0.1", `server_port = ${port}`, `server_type = ${version}`];
  const user = password ? [`default_user = ${USER.name}`, `default_pass = ${password}`] : [];
  const folder = tempFolder({ "tsocks.conf": [...server, ...user, ""].join("\n") });
  const env = { TSOCKS_CONF_FILE: join(folder, "tsocks.conf") };
  return runProgram("tsocks", [...CURL, url], { env });
}
