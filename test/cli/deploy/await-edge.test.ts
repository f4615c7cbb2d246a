import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { askHealth, awaitEdge, type EdgeProbe } from "../../../cli/deploy/await-edge.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { recordedLog } from "../../support/log.ts";
import { closedPort } from "../../support/target.ts";

const TIMEOUT_MS = 60_000;

/** Fails with each of these, then succeeds for good. */
function failing(...failures: readonly string[]): { asked: number; ask: () => Promise<void> } {
  const asking = {
    asked: 0,
    ask: async () => {
      const failure = failures[asking.asked];
      asking.asked += 1;
      if (failure !== undefined) throw new Error(failure);
    },
  };
  return asking;
}

function start(probe: Partial<EdgeProbe<string>>) {
  const clock = new FakeClock();
  const log = recordedLog();
  const aborter = new AbortController();
  const { signal } = aborter;
  const all: EdgeProbe<string> = { health: async () => {}, greet: async () => "hello", ...probe };
  const options = { clock, log, timeoutMs: TIMEOUT_MS, signal, edge: "wss://edge.example/" };
  const outcome = awaitEdge(all, options).then(
    (greeting) => ({ greeting }),
    (error: unknown) => ({ error }),
  );
  return { clock, log, aborter, outcome };
}

describe("awaitEdge()", () => {
  it("asks for health until it is there, then for admission, and gives the greeting", async () => {
    const health = failing("not found", "not found", "answered 500");
    const greeting = failing("refused");
    const greet = async () => greeting.ask().then(() => "hello");
    const { clock, log, outcome } = start({ health: health.ask, greet });
    await clock.advance(TIMEOUT_MS);
    expect(await outcome).toEqual({ greeting: "hello" });
    expect([health.asked, greeting.asked]).toEqual([4, 2]);
    expect(log.lines).toEqual([
      "info Waiting for wss://edge.example/ to be healthy: not found",
      "info Waiting for wss://edge.example/ to be healthy: answered 500",
      "info Waiting for wss://edge.example/ to let us in: refused",
    ]);
    expect(clock.timerCount).toBe(0);
  });

  it("asks nothing of admission before there is health", async () => {
    const greeting = failing();
    const { clock, aborter, outcome } = start({
      health: () => Promise.reject(new Error("away")),
      greet: () => greeting.ask().then(() => "hello"),
    });
    await clock.advance(TIMEOUT_MS / 2);
    expect(greeting.asked).toBe(0);
    aborter.abort();
    await outcome;
  });

  it.each([
    ["health", "be healthy"],
    ["greet", "let us in"],
  ])("gives up on %s in time, with the last reason", async (step, what) => {
    const { clock, outcome } = start({ [step]: () => Promise.reject(new Error("away")) });
    await clock.advance(TIMEOUT_MS);
    expect(await outcome).toMatchObject({
      error: {
        code: "ERR_DEPLOY",
        message: `Cannot see wss://edge.example/ ${what} within 60 s: away`,
      },
    });
    expect(clock.timerCount).toBe(0);
  });

  it("stops when it is called off, while it waits and while it asks", async () => {
    const waiting = start({ health: () => Promise.reject(new Error("away")) });
    await waiting.clock.run();
    waiting.aborter.abort();
    expect(await waiting.outcome).toMatchObject({ error: { name: "AbortError" } });
    expect(waiting.clock.timerCount).toBe(0);

    const asking = start({
      health: async (signal) => {
        await once(signal, "abort");
        throw new Error("the request was cut off");
      },
    });
    await asking.clock.run();
    asking.aborter.abort();
    expect(await asking.outcome).toMatchObject({ error: { name: "AbortError" } });
  });
});

describe("askHealth()", () => {
  const servers: Server[] = [];

  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
  });

  async function serve(listener: RequestListener): Promise<URL> {
    const server = createServer(listener);
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/healthz`);
  }

  const ask = (url: URL, signal = new AbortController().signal) => askHealth(url, signal);

  it("takes the answer of an edge", async () => {
    const url = await serve((_request, response) => response.end("ok\n"));
    await expect(ask(url)).resolves.toBeUndefined();
  });

  it("refuses other answers, and says which", async () => {
    const missing = await serve((_request, response) => response.writeHead(404).end("ok\n"));
    await expect(ask(missing)).rejects.toThrow("/healthz answered 404");
    const moved = await serve((_request, response) =>
      response.writeHead(302, { location: "/elsewhere" }).end(),
    );
    await expect(ask(moved)).rejects.toThrow("/healthz answered 302");
    const other = await serve((_request, response) => response.end("<h1>ok</h1>"));
    await expect(ask(other)).rejects.toThrow('/healthz answered something else than "ok"');
  });

  it("does not read an answer without end", async () => {
    const url = await serve((_request, response) => {
      const write = (): void => {
        if (response.destroyed) return;
        response.write("ok ok ok ");
        setImmediate(write);
      };
      write();
    });
    await expect(ask(url)).rejects.toThrow("something else");
  });

  it("says why nobody answers", async () => {
    const url = new URL(`http://127.0.0.1:${await closedPort()}/healthz`);
    await expect(ask(url)).rejects.toThrow(/ECONNREFUSED/);
  });

  it("gives up when it is called off", async () => {
    const aborter = new AbortController();
    const url = await serve(() => aborter.abort());
    await expect(ask(url, aborter.signal)).rejects.toThrow(/abort/);
  });
});
