import { afterAll, beforeAll, describe, it, onTestFinished } from "vitest";
import { formatTurnUrl } from "../../edge-worker/egress/turn/turn-url.ts";
import { type RunningCommand, startCommand } from "../support/command.ts";
import { type Coturn, coturnMissing, startCoturn } from "../support/coturn.ts";
import type { Edge, Feature } from "./conformance.ts";
import { type Client, missingFor, versionOf } from "./clients.ts";

export interface ClientSuite {
  readonly edge: Edge;
  /** The port of SOCKS and HTTP. */
  port(): number;
  /** How many streams the agent has opened: a client that goes past the proxy adds none. */
  streamsOpened(): Promise<number>;
  /** A test that fills in one cell of the table. */
  check(feature: Feature, title: string, test: () => Promise<void>, mark?: string): void;
}

/** Who may use the port of `startGuarded()` when nobody else is named. */
export const USER = { name: "ann", password: "open sesame" } as const;

/** Tests of one client, for each edge with a running `edgesocks local`. */
export function describeClient(
  client: Client,
  edges: readonly Edge[],
  define: (suite: ClientSuite) => void,
): void {
  const missing = missingFor(client);
  if (missing !== undefined) process.stderr.write(`Skipping ${client.name}: ${missing}\n`);
  describe.each(edges)(`${client.name}, edge on %s`, (edge) => {
    let local: RunningCommand;
    let coturn: Coturn | undefined;
    beforeAll(async () => {
      if (edge === "workerd" && coturnMissing === undefined) coturn = await startCoturn();
      local = await startLocal(edge, coturn && environmentFor(coturn));
    });
    afterAll(async () => {
      await local.stop();
      await coturn?.stop();
    });
    define({
      edge,
      port: () => local.portOf("socks"),
      streamsOpened: () => streamsOpened(local),
      check: (feature, title, test, mark) => {
        const facts = { client: client.name, version: versionOf(client), edge, feature };
        const conformance = mark === undefined ? facts : { ...facts, mark };
        it(`${feature}: ${title}`, { meta: { conformance } }, async ({ skip }) => {
          if (missing !== undefined) skip(missing);
          await test();
        });
      },
    });
  });
}

/** A port that wants a user, for the running test. */
export async function startGuarded(
  edge: Edge,
  { name, password }: { name: string; password: string } = USER,
): Promise<number> {
  const local = await startLocal(edge, { EDGESOCKS_USERS: `${name}:${password}` });
  onTestFinished(async () => {
    await local.stop();
  });
  return local.portOf("socks");
}

/** What lets a Worker relay UDP and BIND. */
function environmentFor({ settings }: Coturn): Readonly<Record<string, string>> {
  return {
    EDGESOCKS_UDP: "turn",
    EDGESOCKS_TURN_URL: formatTurnUrl(settings.url),
    EDGESOCKS_TURN_USERNAME: settings.username,
    EDGESOCKS_TURN_PASSWORD: settings.password,
  };
}

function startLocal(edge: Edge, environment = {}): Promise<RunningCommand> {
  const any = "127.0.0.1:0";
  const flags = ["--runtime", edge, "--listen", any, "--admin", any, "--edge-listen", any];
  return startCommand(["local", ...flags], environment);
}

async function streamsOpened(local: RunningCommand): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${local.portOf("admin")}/metrics`);
  const [, count] = /^edgesocks_streams_opened_total (\d+)$/m.exec(await response.text()) ?? [];
  return Number(count);
}
