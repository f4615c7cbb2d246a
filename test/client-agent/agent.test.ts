import { openGate } from "../support/open-gate.ts";
import { describe, expect, it } from "vitest";
import { createAgent } from "../../client-agent/agent.ts";
import { FakeChannel } from "../support/fake-channel.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FakeEdge } from "../support/fake-edge.ts";
import { hex, toHex } from "../support/hex.ts";
import { recordedLog } from "../support/log.ts";
import { metricValue } from "../support/metric-value.ts";
import { plainUsers } from "../support/plain-users.ts";
import { udpSettings } from "../support/udp-settings.ts";

describe("createAgent()", () => {
  it("serves a client that named itself by a stream of its edge", async () => {
    const clock = new FakeClock();
    const edge = new FakeEdge(clock);
    const { door, uplinks, metrics } = createAgent({
      clock,
      log: recordedLog(),
      random: () => 0,
      edges: [{ name: "wss://edge.example/", dial: edge.dial }],
      users: plainUsers({ alice: "secret" }),
      handshakeTimeoutMs: 30_000,
      gate: openGate,
      isolate: "none",
      open: "honest",
      udp: udpSettings,
      openUdp: () => Promise.reject(new Error("There is no UDP here")),
    });
    const running = Promise.all(uplinks.map((each) => each.run()));
    const greeting = hex("05 01 02  01 05 616c696365 06 736563726574");
    const client = new FakeChannel(greeting, hex("05 01 00 01 01020304 0050"));
    const served = door.serve(client);
    await clock.run();
    const [incoming] = edge.incoming;
    expect(incoming?.address).toEqual({ kind: "ipv4", host: "1.2.3.4", port: 80 });
    incoming?.stream.refuse("denied", "Cannot connect");
    client.farEnd();
    await clock.run();
    await served;
    expect(toHex(client.written)).toBe("0502 0100 05020001 000000000000".replaceAll(" ", ""));
    expect(await metricValue(metrics, 'edgesocks_requests_failed_total{reason="denied"}')).toBe(1);
    for (const each of uplinks) each.stop();
    await clock.run();
    await running;
    expect(clock.timerCount).toBe(0);
  });
});
