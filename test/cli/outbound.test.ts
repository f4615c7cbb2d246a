import { describe, expect, it } from "vitest";
import { outboundOf } from "../../cli/outbound.ts";
import { loadSettings } from "../../cli/settings.ts";
import { tables } from "../../cli/tables.ts";

const settingsOf = (values: Readonly<Record<string, unknown>>) =>
  loadSettings(tables.edge, [{ values, nameOf: (key) => key }]);
const turn = {
  udp: "turn",
  "turn-url": "turn:turn.example",
  "turn-username": "ann",
  "turn-password": "a password",
};

describe("outboundOf()", () => {
  it.each([
    ["node", "native"],
    ["workerd", "dns"],
  ] as const)("is what %s does when nothing is said", (runtime, udp) => {
    expect(outboundOf(settingsOf({}), runtime)).toEqual({
      dnsUrls: [],
      udp,
      udpIdleTimeoutMs: 60_000,
      turn: undefined,
      bind: { host: undefined, ports: undefined },
    });
  });

  it("passes on what is said", () => {
    const settings = settingsOf({
      ...turn,
      dns: "https://dns.example/q",
      "udp-idle-timeout": 120,
      "bind-address": "192.0.2.1",
      "bind-ports": "40000-40100",
    });
    expect(outboundOf(settings, "node")).toMatchObject({
      dnsUrls: ["https://dns.example/q"],
      udp: "turn",
      udpIdleTimeoutMs: 120_000,
      turn: { username: "ann", password: "a password" },
      bind: { host: { host: "192.0.2.1" }, ports: [40_000, 40_100] },
    });
  });

  it("leaves the TURN server out of other modes", () => {
    expect(outboundOf(settingsOf({ ...turn, udp: "off" }), "node").turn).toBeUndefined();
  });

  it.each(["turn-url", "turn-username", "turn-password"])("misses %s in the mode turn", (key) => {
    const settings = settingsOf({ ...turn, [key]: undefined });
    expect(() => outboundOf(settings, "workerd")).toThrow(
      "Cannot use udp = turn: turn-url, turn-username or turn-password is not set",
    );
  });

  it.each([
    [{ udp: "native" }, "Cannot use udp = native on workerd"],
    [{ "bind-ports": "1-2" }, "Cannot use bind-address or bind-ports on workerd"],
  ])("refuses %j on workerd", (values, text) => {
    expect(() => outboundOf(settingsOf(values), "workerd")).toThrow(text);
  });
});
