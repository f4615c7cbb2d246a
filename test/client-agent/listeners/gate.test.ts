import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import { Gate, type GateSettings } from "../../../client-agent/listeners/gate.ts";

const open: GateSettings = { allow: [], maxClients: 100, maxClientsPerAddress: 100 };
const ranges = (...texts: string[]) => texts.map((text) => ipaddr.parseCIDR(text));

describe("Gate.enter()", () => {
  it("lets everybody in where nothing is said", () => {
    expect(new Gate(open).enter("203.0.113.7").refusal).toBeUndefined();
  });

  it.each([
    ["127.0.0.1", undefined],
    ["127.9.9.9", undefined],
    ["128.0.0.1", "denied"],
    ["::1", undefined],
    ["::2", "denied"],
    ["", "denied"],
  ])("answers %j by the list", (host, refusal) => {
    const gate = new Gate({ ...open, allow: ranges("127.0.0.0/8", "::1/128") });
    expect(gate.enter(host).refusal).toBe(refusal);
  });

  it("refuses who is one too many, until somebody leaves", () => {
    const gate = new Gate({ ...open, maxClients: 2 });
    const [first] = [gate.enter("127.0.0.1"), gate.enter("127.0.0.2")];
    expect(gate.enter("127.0.0.3").refusal).toBe("general");
    first?.leave();
    expect(gate.enter("127.0.0.3").refusal).toBeUndefined();
  });

  it("counts each address by itself, and a client that leaves twice once", () => {
    const gate = new Gate({ ...open, maxClientsPerAddress: 1 });
    const one = gate.enter("127.0.0.1");
    expect(gate.enter("127.0.0.2").refusal).toBeUndefined();
    expect(gate.enter("127.0.0.1").refusal).toBe("general");
    one.leave();
    one.leave();
    expect(gate.enter("127.0.0.1").refusal).toBeUndefined();
    expect(gate.enter("127.0.0.1").refusal).toBe("general");
  });

  it("does not count those that the list refuses", () => {
    const gate = new Gate({ ...open, allow: ranges("127.0.0.1/32"), maxClients: 1 });
    for (let i = 0; i < 5; i++) expect(gate.enter("127.0.0.2").refusal).toBe("denied");
    expect(gate.enter("127.0.0.1").refusal).toBeUndefined();
  });
});
