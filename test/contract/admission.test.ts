import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningEdge, serveEdge } from "../../edge-worker/node/serve.ts";
import { serveWorkerdEdge } from "../../edge-worker/node/serve-workerd.ts";
import { edgeDoor } from "../support/edge-door.ts";
import { recordedLog } from "../support/log.ts";
import { Stranger } from "../support/stranger.ts";
import { tokenOf, type TokenParts, wrongTokens } from "../support/wrong-tokens.ts";

const STRANGERS = 16;

const secret = randomBytes(32).toString("base64url");
const keyId = "test";
const partsOf = (path: string): TokenParts => ({ keyId, secret, host: "127.0.0.1", path });

const options = {
  ...edgeDoor,
  access: { keys: [{ id: keyId, secret }], rules: [] },
  allowPrivate: false,
  connectTimeoutMs: 1000,
  maxDials: 16,
};

describe.each([
  ["Node", (log: ReturnType<typeof recordedLog>) => serveEdge({ ...options, log }), true, 10_000],
  [
    "workerd, durable bridge",
    (log: ReturnType<typeof recordedLog>) =>
      serveWorkerdEdge({ ...options, bridge: "durable", log }),
    true,
    10_000,
  ],
  [
    // It cannot know a used token: SECURITY.md says so.
    "workerd, stateless bridge",
    (log: ReturnType<typeof recordedLog>) =>
      serveWorkerdEdge({ ...options, bridge: "stateless", log }),
    false,
    2500,
  ],
] as const)("admission of the edge on %s", (_name, start, knowsReplays, knocks) => {
  const log = recordedLog();
  let edge: RunningEdge;
  beforeAll(async () => {
    edge = await start(log);
  });
  afterAll(() => edge.stop(0));

  it("admits a token that another implementation made, for any path", async () => {
    const stranger = new Stranger(edge.port);
    for (const path of ["/", "/some/path"]) {
      expect(await stranger.knock(path, tokenOf(partsOf(path)))).toMatch(/^HTTP\/1\.1 101 /);
    }
  });

  it(`admits none of ${knocks} wrong tokens, and answers each as a wrong path`, async () => {
    const visitor = new Stranger(edge.port);
    const pages = new Map<string, string>();
    for (const path of ["/", "/some/path"]) pages.set(path, await visitor.knock(path, undefined));
    const notFound = await visitor.knock("/no/such/path", undefined);
    visitor.leave();
    expect(notFound).toMatch(/^HTTP\/1\.1 404 /);
    expect(pages.get("/some/path")).toBe(notFound);

    const used = new Map<string, string>();
    for (const path of pages.keys()) {
      const token = tokenOf(partsOf(path));
      used.set(path, token);
      if (knowsReplays) expect(await visitor.knock(path, token)).toMatch(/^HTTP\/1\.1 101 /);
    }
    const kinds = Object.entries(wrongTokens);
    if (knowsReplays) kinds.push(["used before", ({ path }) => used.get(path) ?? ""]);
    /** What was answered otherwise, by kind, and how often each kind was tried. */
    const strays: string[] = [];
    const tried = new Map<string, number>();
    let next = 0;
    const work = async (): Promise<void> => {
      const stranger = new Stranger(edge.port);
      for (let i = next++; i < knocks; i = next++) {
        const [kind, make] = kinds[i % kinds.length] ?? ["", () => ""];
        // One in ten at the front page, whose answer is another.
        const path = i % 10 === 0 ? "/" : "/some/path";
        const answer = await stranger.knock(path, make(partsOf(path)));
        tried.set(kind, (tried.get(kind) ?? 0) + 1);
        if (answer !== pages.get(path)) strays.push(`${kind}: ${answer.slice(0, 60)}`);
      }
      stranger.leave();
    };
    await Promise.all(Array.from({ length: STRANGERS }, work));
    expect(strays).toEqual([]);
    expect([...tried.values()].reduce((sum, count) => sum + count, 0)).toBe(knocks);
    expect(Math.min(...tried.values())).toBeGreaterThan(knocks / 25);
    // Nothing of it is worth a line, or a stranger could fill the log. Those that were admitted are.
    // The Node edge has two lines for each of the four at most, and workerd one.
    const isOurs = (line: string): boolean =>
      line.includes("A carrier was admitted") ||
      line.includes("A carrier ended before its session");
    expect(log.lines.filter((line) => !isOurs(line))).toEqual([]);
    expect(log.lines.length).toBeLessThanOrEqual(8);
  });
});
