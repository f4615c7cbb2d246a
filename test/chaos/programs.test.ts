import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Client, missingFor } from "../interop/clients.ts";
import {
  breakCarriers,
  faultAt,
  type BrokenNetwork,
  startBrokenNetwork,
} from "../support/broken-network.ts";
import type { Fault } from "../support/chaos-relay.ts";
import { converse } from "../support/conversation.ts";
import { startForwarder, startRedis } from "../support/redis.ts";
import { sshArguments, startSshd } from "../support/sshd.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { access, edgeNames, edges, keyId, secret } from "./edges.ts";
import { programs } from "./programs.ts";
import { randomBytesOf, randomNumbers } from "./random-numbers.ts";
import { MEGABYTE, megabytes, programLosses, seed } from "./settings.ts";

/** 300 MB in the full form. */
const downloadMegabytes = Math.ceil(megabytes * 0.3);
/** Longer than a frame: a loss may come in the middle. */
const ANSWER_BYTES = 50_000;

describe.each(edgeNames)(`over ${programLosses} losses, by the edge on %s`, (name) => {
  check(programs.curl, `downloads ${downloadMegabytes} MB`, async () => {
    const { url, sha256 } = await startDownload();
    const network = await start();
    const proxy = `127.0.0.1:${network.agent.listen.port}`;
    const curl = spawn("curl", ["-q", "-sS", "--noproxy", "", "--socks5", proxy, url]);
    let errors = "";
    curl.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    const closed = once(curl, "close") as Promise<[number | null]>;
    const hash = createHash("sha256");
    const losses = [...downloadLosses];
    let bytes = 0;
    for await (const chunk of curl.stdout as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      const isDue =
        bytes >
        (downloadMegabytes * MEGABYTE * (programLosses + 0.5 - losses.length)) /
          (programLosses + 1);
      const fault = isDue ? losses.shift() : undefined;
      if (fault && !network.relay.strikeLatest(fault)) losses.unshift(fault);
    }
    expect((await closed)[0], errors).toBe(0);
    expect(losses).toEqual([]);
    expect(bytes).toBe(downloadMegabytes * MEGABYTE);
    expect(hash.digest("hex")).toBe(sha256);
  });

  check(programs.ssh, "works in one session", async () => {
    const folder = tempFolder();
    const sshd = await startSshd(folder);
    const network = await start();
    const proxy = `nc -X 5 -x 127.0.0.1:${network.agent.listen.port} %h %p`;
    const args = sshArguments(folder, proxy, sshd.port);
    // A terminal at the far end: there is somebody who types.
    const shell = converse("ssh", ["-tt", ...args, "127.0.0.1", "sh"]);
    shell.say("stty -echo; self=$$\n");
    for (let i = 0; i < programLosses; i++) {
      shell.say(`echo answer-$((${i} * 111)) from-$self\n`);
      const [, pid] =
        /from-(\d+)/.exec(await shell.hear(new RegExp(`answer-${i * 111} from-\\d+`))) ?? [];
      // What is asked before the loss is answered behind it.
      shell.say(
        `head -c ${ANSWER_BYTES} /dev/zero | tr '\\0' x; echo end-$((${i} + 1000)) by-$self\n`,
      );
      await breakCarriers(network, i);
      const answer = await shell.hear(new RegExp(`end-${i + 1000} by-${pid}`));
      expect(answer.replaceAll(/[^x]/g, "").length).toBe(ANSWER_BYTES);
    }
    shell.say("exit 7\n");
    expect(await shell.code, sshd.errors()).toBe(7);
  });

  check(programs.redis, "holds one transaction open, and commits it", async () => {
    const redis = await startRedis();
    const network = await start();
    const forwarder = await startForwarder(network.agent.listen.port, redis);
    const client = converse("redis-cli", ["-p", String(forwarder)]);
    const observer = converse("redis-cli", ["-p", String(redis)]);
    client.say("MULTI\n");
    await client.hear(/^OK\n/);
    for (let i = 0; i < programLosses; i++) {
      client.say("INCR counter\n");
      await breakCarriers(network, i);
      await client.hear(/^QUEUED\n/);
    }
    observer.say("EXISTS counter\n");
    await observer.hear(/^0\n/);
    client.say("EXEC\n");
    for (let i = 1; i <= programLosses; i++) await client.hear(new RegExp(`^${i}\n`));
    observer.say("GET counter\n");
    await observer.hear(new RegExp(`^${programLosses}\n`));
  });

  async function start(): Promise<BrokenNetwork> {
    const edge = await edges[name]({ access, allowPrivate: true, connectTimeoutMs: 10_000 });
    onTestFinished(() => edge.stop(0));
    return startBrokenNetwork({ edgePort: edge.port, keyId, secret });
  }
});

/** Of the carrier that the download uses: the other one goes on at once. */
const downloadLosses: readonly Fault[] = Array.from({ length: programLosses }, (_, i) =>
  i % 3 === 1 ? "cut in mid-message" : faultAt(i),
);

function check(client: Client, title: string, test: () => Promise<void>): void {
  const missing = missingFor(client);
  if (missing !== undefined) process.stderr.write(`Skipping ${client.name}: ${missing}\n`);
  it(`${client.name} ${title}`, async ({ skip }) => {
    if (missing !== undefined) skip(missing);
    await test();
  });
}

/** A web server with one large page, and the hash of that. */
async function startDownload(): Promise<{ url: string; sha256: string }> {
  const megabyte = randomBytesOf(randomNumbers(seed), MEGABYTE);
  const hash = createHash("sha256");
  const pieces = function* (): Generator<Uint8Array> {
    for (let i = 0; i < downloadMegabytes; i++) {
      // Each begins elsewhere, so that none is like another.
      yield megabyte.subarray(i);
      yield megabyte.subarray(0, i);
    }
  };
  for (const piece of pieces()) hash.update(piece);
  const server = createServer((_, response) => {
    response.setHeader("content-length", downloadMegabytes * MEGABYTE);
    Readable.from(pieces()).pipe(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, sha256: hash.digest("hex") };
}
