import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { AccessEntries } from "../../edge-worker/users/access.ts";
import type { RunningEdge } from "../../edge-worker/node/serve.ts";
import { Admission } from "../../protocol/admission.ts";
import { parseAddress } from "../../protocol/address.ts";
import { Command } from "../../protocol/wire.ts";
import { connectRawAgent, type RawAgent } from "../support/raw-agent.ts";
import { startTarget, type Target } from "../support/target.ts";
import { tempFolder } from "../support/temp-folder.ts";
import type { EdgeUnderTest, StartEdge } from "./edge.ts";

const nothing = new Uint8Array();
const secret = randomBytes(32).toString("base64url");

/** Users, their rules and their limits. `countsWindows`: something outlives a connection there. */
export function describeUsers(name: string, start: StartEdge, countsWindows: boolean): void {
  const agents: RawAgent[] = [];

  const options = (access: AccessEntries): EdgeUnderTest => ({
    access,
    allowPrivate: true,
    connectTimeoutMs: 2000,
  });
  const connectAs = async (edge: RunningEdge, id: string, key = secret): Promise<RawAgent> => {
    const url = new URL(`ws://127.0.0.1:${edge.port}/`);
    const agent = await connectRawAgent(url, new Admission(id, key));
    agents.push(agent);
    return agent;
  };
  const open = (agent: RawAgent, port: number, host = "127.0.0.1") => {
    const { stream } = agent.session.open(Command.Connect, parseAddress(host, port), nothing);
    return { stream, answer: stream.answer() };
  };

  /** A test of what is counted by the day or the minute, which is no test where that is refused. */
  const itCounting = (behaviour: string, test: () => Promise<void>): void => {
    if (countsWindows) it(behaviour, test);
  };

  describe(`${name}, users`, () => {
    let edge: RunningEdge;
    let echo: Target;
    let other: Target;

    beforeAll(async () => {
      echo = await startTarget((socket) => socket.pipe(socket));
      other = await startTarget((socket) => socket.pipe(socket));
      const key = { secret };
      edge = await start(
        options({
          keys: [
            { ...key, id: "free" },
            { ...key, id: "two-streams", streams: 2 },
            { ...key, id: "slow", "bytes-per-second": "1 MB" },
            { ...key, id: "ended", expires: "2020-01-01" },
            { ...key, id: "ruled", rules: [{ action: "deny", ports: [other.port] }] },
            ...(countsWindows
              ? [
                  { ...key, id: "daily", "bytes-per-day": 100_000 },
                  { ...key, id: "minute", "streams-per-minute": 3 },
                ]
              : []),
          ],
          rules: [
            { action: "allow", ports: [other.port], users: ["free", "ruled"] },
            { action: "deny", to: ["127.0.0.0/8"], ports: [other.port] },
          ],
        }),
      );
    });
    afterEach(() => Promise.all(agents.splice(0).map((agent) => agent.close())));
    afterAll(async () => {
      await edge.stop(0);
      await echo.close();
      await other.close();
    });

    it("are told apart by their rules, the first that fits", async () => {
      const [free, slow, ruled] = await Promise.all([
        connectAs(edge, "free"),
        connectAs(edge, "slow"),
        connectAs(edge, "ruled"),
      ]);
      await open(free, other.port).answer;
      await open(free, echo.port).answer;
      await expect(open(slow, other.port).answer).rejects.toMatchObject({ reason: "denied" });
      await expect(open(ruled, other.port).answer).rejects.toMatchObject({ reason: "denied" });
      await open(slow, echo.port).answer;
    });

    it("are held to a rule about addresses when they ask for a name", async () => {
      const slow = await connectAs(edge, "slow");
      const asking = open(slow, other.port, "localhost").answer;
      await expect(asking).rejects.toMatchObject({ reason: "denied" });
    });

    it("have no more streams at once than their limit", async () => {
      const agent = await connectAs(edge, "two-streams");
      const first = open(agent, echo.port);
      await first.answer;
      await open(agent, echo.port).answer;
      const third = open(agent, echo.port).answer;
      await expect(third).rejects.toMatchObject({ reason: "quota-exceeded" });
      first.stream.abort(new Error("enough"));
      // A stream is counted out once its service has ended, some turns behind its RESET.
      for (let reason = "quota-exceeded"; reason === "quota-exceeded";) {
        reason = await open(agent, echo.port).answer.then(
          () => "opened",
          (error: { reason: string }) => error.reason,
        );
      }
    });

    it("get their bytes unchanged at a limited rate", async () => {
      const { stream, answer } = open(await connectAs(edge, "slow"), echo.port);
      await answer;
      const sent = randomBytes(1_200_000);
      const sending = stream.write(sent).then(() => stream.end());
      const received: Uint8Array[] = [];
      for (let chunk = await stream.read(); chunk; chunk = await stream.read()) {
        received.push(chunk.slice());
      }
      await sending;
      expect(Buffer.concat(received).equals(sent)).toBe(true);
    });

    it("are held to other rules while the edge runs, and keep their streams", async () => {
      const access: AccessEntries = { keys: [{ id: "free", secret }], rules: [] };
      const running = await start(options(access));
      try {
        const agent = await connectAs(running, "free");
        const { stream, answer } = open(agent, echo.port);
        await answer;
        await open(agent, other.port).answer;
        running.reload({ ...access, rules: [{ action: "deny", ports: [other.port] }] });
        // A Worker hears of it by a request of its own.
        for (let reason = "opened"; reason === "opened";) {
          reason = await open(agent, other.port).answer.then(
            () => "opened",
            (error: { reason: string }) => error.reason,
          );
        }
        await stream.write(Uint8Array.of(7));
        expect(await stream.read()).toEqual(Uint8Array.of(7));
        expect(() => running.reload({ ...access, keys: [] })).toThrow("expected at least one key");
      } finally {
        await running.stop(0);
      }
    });

    it.each([
      ["whose key has expired", "ended", secret],
      ["whom nobody knows", "stranger", secret],
      ["with a secret that is not theirs", "free", "another secret, as long"],
    ])("%s are not admitted", async (_who, id, key) => {
      await expect(connectAs(edge, id, key)).rejects.toThrow(/instead of a WebSocket/);
    });

    itCounting("are cut off where their bytes of the day end", async () => {
      const { stream, answer } = open(await connectAs(edge, "daily"), echo.port);
      await answer;
      const writing = stream.write(new Uint8Array(1_000_000)).catch(() => {});
      await expect(
        (async () => {
          while (await stream.read());
        })(),
      ).rejects.toMatchObject({ reason: "quota-exceeded" });
      stream.abort(new Error("over"));
      await writing;
      const next = open(await connectAs(edge, "daily"), echo.port).answer;
      await expect(next).rejects.toMatchObject({ reason: "quota-exceeded" });
    });

    itCounting("open no more streams in a minute than their limit", async () => {
      const agent = await connectAs(edge, "minute");
      // A minute of the clock may end in between: twice its number and one more is always too much.
      const fates = Array.from({ length: 7 }, () =>
        open(agent, echo.port).answer.then(
          () => "opened",
          (error: { reason: string }) => error.reason,
        ),
      );
      expect(await Promise.all(fates)).toContain("quota-exceeded");
    });

    itCounting("keep what they used from one start of the edge to the next", async () => {
      const stateFolder = tempFolder();
      const access: AccessEntries = {
        keys: [{ id: "daily", secret, "bytes-per-day": 1500 }],
        rules: [],
      };
      const before = await start({ ...options(access), stateFolder });
      const agent = await connectAs(before, "daily");
      const { stream, answer } = open(agent, echo.port);
      await answer;
      await stream.write(new Uint8Array(1000));
      expect(await stream.read()).not.toBeNull();
      await agent.close();
      await before.stop(1000);
      const after = await start({ ...options(access), stateFolder });
      try {
        const next = open(await connectAs(after, "daily"), echo.port).answer;
        await expect(next).rejects.toMatchObject({ reason: "quota-exceeded" });
      } finally {
        await after.stop(0);
      }
    });
  });
}
