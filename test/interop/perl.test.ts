import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buffer } from "node:stream/consumers";
import { expect, onTestFinished } from "vitest";
import { startEcho, startUdpTarget } from "../support/echo-target.ts";
import { type Outcome, runProgram } from "../support/run-program.ts";
import { closedPort, startTarget } from "../support/target.ts";
import { clients } from "./clients.ts";
import type { Feature } from "./conformance.ts";
import { describeClient, startGuarded, USER } from "./describe-client.ts";

const BODY = randomBytes(1_000_000);
/** What the peer of a BIND sends. */
const FROM_PEER = randomBytes(700_000);

const WAYS: readonly (readonly [Feature, number, number, string])[] = [
  ["SOCKS4", 4, 0, "127.0.0.1"],
  ["SOCKS4a", 4, 1, "localhost"],
  ["SOCKS5", 5, 0, "127.0.0.1"],
  ["SOCKS5, name", 5, 1, "localhost"],
];

describeClient(clients.perl, ["node", "workerd"], ({ edge, port, check }) => {
  for (const [feature, version, resolve, host] of WAYS) {
    check(feature, "CONNECT, and 1 MB there and back, half-closed", async () => {
      expectBody(await perl("connect", version, resolve, port(), host, await startEcho()), BODY);
    });
  }

  check("password", "the right one, and a wrong one", async () => {
    const target = ["connect", 5, 0, await startGuarded(edge), "127.0.0.1", await startEcho()];
    expectBody(await perl(...target, USER.name, USER.password), BODY);
    const wrong = await perl(...target, USER.name, "wrong");
    expect(wrong.code, wrong.stderr).toBe(1);
    expect(wrong.stderr).toMatch(/authentication failed/i);
  });

  check("failures", "SOCKS5: refused is 5, no such name 4, denied 2", async () => {
    const expected = [
      ["127.0.0.1", await closedPort(), 5],
      ["missing.invalid", 80, 4],
      ["127.0.0.1", 25, 2],
    ] as const;
    for (const [host, target, reply] of expected) {
      const { code, stderr } = await perl("connect", 5, 1, port(), host, target);
      expect(code).toBe(1);
      expect(stderr).toContain(`reply ${reply}`);
    }
  });

  check("RESOLVE", "localhost, by command 0xF0 sent in place of CONNECT", async () => {
    const { code, stdout, stderr } = await perl("resolve", 5, 1, port(), "localhost", 0);
    expect(code, stderr).toBe(0);
    expect(["127.0.0.1", "::1"]).toContain(stdout.toString());
  });

  // coturn, by which a Worker listens, drops what has not been read when either side ends.
  for (const version of edge === "node" ? [4, 5] : []) {
    check("BIND", `SOCKS${version}: a peer connects, bytes go both ways`, async () => {
      const peer = await startCallingBack();
      const outcome = await perl("bind", version, 0, port(), "127.0.0.1", peer.port);
      expectBody(outcome, FROM_PEER);
      expect(outcome.stderr).toBe(`peer 127.0.0.1 ${await peer.localPort}\n`);
      expect(BODY.equals(await peer.received)).toBe(true);
    });
  }

  check("UDP", "a datagram and its answer", async () => {
    const target = await startUdpTarget((request) => request.subarray(0, 1000));
    expectBody(await perl("udp", 5, 0, port(), "127.0.0.1", target), BODY.subarray(0, 1000));
  });
});

/** A target that connects to the address in the first line it gets, as an FTP server does. */
async function startCallingBack(): Promise<{
  port: number;
  localPort: Promise<number | undefined>;
  received: Promise<Buffer>;
}> {
  const called = Promise.withResolvers<Socket>();
  const target = await startTarget((control) => {
    createInterface({ input: control }).once("line", (line) => {
      const [host, port] = line.split(" ");
      const data = connect({ host: host ?? "", port: Number(port) });
      data.on("error", called.reject);
      data.on("connect", () => called.resolve(data));
    });
  });
  onTestFinished(() => target.close());
  // Neither is awaited before the client has ended, which tells more when something is wrong.
  const received = called.promise.then(async (data) => {
    data.end(FROM_PEER);
    return buffer(data);
  });
  const localPort = called.promise.then(({ localPort }) => localPort);
  for (const promise of [received, localPort]) promise.catch(() => {});
  return { port: target.port, localPort, received };
}

function perl(...args: (string | number)[]): Promise<Outcome> {
  const isUdp = args[0] === "udp";
  const script = join(import.meta.dirname, "socks-client.pl");
  const input = isUdp ? BODY.subarray(0, 1200) : BODY;
  return runProgram("/usr/bin/perl", [script, ...args.map(String)], { input });
}

function expectBody({ code, stdout, stderr }: Outcome, body: Uint8Array): void {
  expect(code, stderr).toBe(0);
  expect(stdout.equals(body)).toBe(true);
}
