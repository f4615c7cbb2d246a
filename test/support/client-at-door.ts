import { openGate } from "./open-gate.ts";
import { Gate } from "../../client-agent/listeners/gate.ts";
import { FrontDoor, type FrontDoorOptions } from "../../client-agent/listeners/front-door.ts";
import { Gateway, type GatewayOptions } from "../../client-agent/listeners/gateway.ts";
import { Metrics } from "../../client-agent/observe/metrics.ts";
import type { IncomingStream } from "../../protocol/session.ts";
import { FakeChannel } from "./fake-channel.ts";
import { recordedLog } from "./log.ts";
import { plainUsers } from "./plain-users.ts";
import { udpSettings } from "./udp-settings.ts";
import { metricValue } from "./metric-value.ts";
import { sessionPair } from "./session-pair.ts";

/** A front door with one client in it, and the edge's end of the session. */
export async function clientAtDoor(
  options: Partial<FrontDoorOptions & Pick<GatewayOptions, "session">> = {},
  client = new FakeChannel(),
) {
  const { clock, agent, incoming, carriers, agentLink, edgeLink } = await sessionPair();
  const idleTimers = clock.timerCount;
  const log = recordedLog();
  const metrics = new Metrics();
  const door = new FrontDoor({
    clock,
    log,
    metrics,
    users: plainUsers(),
    handshakeTimeoutMs: 30_000,
    gate: new Gate(openGate),
    fragmentLimits: udpSettings.fragmentLimits,
    openUdp: () => Promise.reject(new Error("There is no UDP here")),
    gateway: new Gateway({
      clock,
      open: "honest",
      log,
      metrics,
      session: options.session ?? (async () => agent),
    }),
    ...options,
  });
  let isServed = false;
  const served = door.serve(client).then(() => (isServed = true));
  await clock.run();
  return {
    client,
    clock,
    log,
    agent,
    idleTimers,
    agentLink,
    edgeLink,
    sent: carriers.sent.left,
    served,
    isServed: () => isServed,
    metric: (series: string) => metricValue(metrics, series),
    /** Runs all that is ready, then gives the stream that the edge was asked for. */
    stream: async (): Promise<IncomingStream> => {
      await clock.run();
      const [stream] = incoming;
      if (!stream) throw new Error("The edge was not asked for a stream");
      return stream;
    },
  };
}
