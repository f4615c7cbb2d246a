import { describe, expect, it } from "vitest";
import { type AgentAndEdge, startAgentAndEdge } from "../../support/agent-and-edge.ts";
import {
  type MalformedHandshake,
  malformedHandshakes,
  malformedLogins,
} from "../../support/malformed-handshakes.ts";
import { startEcho } from "../../support/proxy-client.ts";
import { RawClient } from "../../support/raw-client.ts";

/** Her login of RFC 1929. */
const ALICE = [1, 5, ...Buffer.from("alice"), 6, ...Buffer.from("secret")];
const alice = new Map([["alice", "secret"]]);
const agents = [
  { who: "without users", users: new Map<string, string>(), login: [], rows: malformedHandshakes },
  { who: "with users", users: alice, login: ALICE, rows: malformedLogins },
];

/** Sends a row's bytes, and gives what came of it as the row has it. */
async function outcomeOf(port: number, { sent, isCut }: MalformedHandshake) {
  const client = new RawClient(port).send(sent);
  if (isCut) client.socket.end();
  const end = await client.end();
  await client.closed();
  return { back: Buffer.from(client.received, "latin1").toString("hex"), end };
}

/** How often clients were counted, by code or reason; and what was logged of them. */
async function recordsOf(agent: AgentAndEdge) {
  const { metric, log } = agent;
  const counts = {
    ERR_HANDSHAKE: await metric('edgesocks_clients_failed_total{code="ERR_HANDSHAKE"}'),
    ERR_HANDSHAKE_EOF: await metric('edgesocks_clients_failed_total{code="ERR_HANDSHAKE_EOF"}'),
    "command-unsupported": await metric(
      'edgesocks_requests_failed_total{reason="command-unsupported"}',
    ),
  };
  const lines = log.lines.filter((line) => /^\w+ A (?:client|request)/.test(line));
  return { counts, lines };
}

/** The counts that rows must come to. */
function countsOf(rows: readonly MalformedHandshake[]) {
  const count = (counted: MalformedHandshake["counted"]) =>
    rows.filter((row) => row.counted === counted).length || undefined;
  return {
    ERR_HANDSHAKE: count("ERR_HANDSHAKE"),
    ERR_HANDSHAKE_EOF: count("ERR_HANDSHAKE_EOF"),
    "command-unsupported": count("command-unsupported"),
  };
}

/** Has an ordinary SOCKS5 client fetch an echo; `login` goes between greeting and request. */
async function expectServed(port: number, echoPort: number, login: readonly number[] = []) {
  const method = login.length > 0 ? 2 : 0;
  const request = [5, 1, 0, 1, 127, 0, 0, 1, echoPort >> 8, echoPort & 0xff];
  const client = new RawClient(port);
  client.socket.write(Uint8Array.of(5, 1, method, ...login, ...request));
  await client.until("\x05\0\0\x01");
  client.send("hello").socket.end();
  await client.until("hello");
  expect(await client.end()).toBe("FIN");
  await client.closed();
}

describe.each(agents)("An agent $who, on a malformed handshake", ({ users, login, rows }) => {
  it.each(rows)("answers $what, then counts and logs it once", async (row) => {
    const agent = await startAgentAndEdge({ users });
    expect(await outcomeOf(agent.port, row)).toEqual({ back: row.back, end: row.end });
    const { counts, lines } = await recordsOf(agent);
    expect(counts).toEqual(countsOf([row]));
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toMatch(/127\.0\.0\.1|example\.com|secret/i);
  });

  it("goes on to serve others, and has counted and logged each row once", async () => {
    const [agent, echo] = await Promise.all([startAgentAndEdge({ users }), startEcho()]);
    const outcomes = await Promise.all(rows.map((row) => outcomeOf(agent.port, row)));
    expect(outcomes).toEqual(rows.map(({ back, end }) => ({ back, end })));
    await expectServed(agent.port, echo.port, login);
    await expect.poll(() => agent.metric("edgesocks_clients")).toBe(0);
    const { counts, lines } = await recordsOf(agent);
    expect(counts).toEqual(countsOf(rows));
    expect(lines).toHaveLength(rows.length);
  });
});
