import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import { Gate, type GateSettings } from "../../../client-agent/listeners/gate.ts";

const open: GateSettings = {
  allow: [],
  maxClients: 100,
  maxClientsPerAddress: 100,
  maxHandshakes: 100,
};
const ranges = (...texts: string[]) => texts.map((text) => ipaddr.parseCIDR(text));

/** A client that comes and makes its request: what it is told, and how it leaves. */
function visit(gate: Gate, host: string) {
  const client = gate.arrive(host, () => {});
  return { refusal: client.enter(), leave: () => client.leave() };
}

describe("Gate.arrive()", () => {
  it("lets everybody in where nothing is said", () => {
    expect(visit(new Gate(open), "203.0.113.7").refusal).toBeUndefined();
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
    const client = gate.arrive(host, () => {});
    expect(client.isAllowed).toBe(refusal === undefined);
    expect(client.isRefused).toBe(false);
    expect(client.enter()).toBe(refusal);
    expect(client.isRefused).toBe(refusal !== undefined);
  });

  it("refuses who is one too many, until somebody leaves", () => {
    const gate = new Gate({ ...open, maxClients: 2 });
    const [first] = [visit(gate, "127.0.0.1"), visit(gate, "127.0.0.2")];
    expect(visit(gate, "127.0.0.3").refusal).toBe("general");
    first?.leave();
    expect(visit(gate, "127.0.0.3").refusal).toBeUndefined();
  });

  it("counts each address by itself, and a client that leaves twice once", () => {
    const gate = new Gate({ ...open, maxClientsPerAddress: 1 });
    const one = visit(gate, "127.0.0.1");
    expect(visit(gate, "127.0.0.2").refusal).toBeUndefined();
    expect(visit(gate, "127.0.0.1").refusal).toBe("general");
    one.leave();
    one.leave();
    expect(visit(gate, "127.0.0.1").refusal).toBeUndefined();
    expect(visit(gate, "127.0.0.1").refusal).toBe("general");
  });

  it("does not count those that the list refuses", () => {
    const gate = new Gate({ ...open, allow: ranges("127.0.0.1/32"), maxClients: 1 });
    for (let i = 0; i < 5; i++) expect(visit(gate, "127.0.0.2").refusal).toBe("denied");
    expect(visit(gate, "127.0.0.1").refusal).toBeUndefined();
  });

  it("counts a client once, however many requests it makes", () => {
    const gate = new Gate({ ...open, maxClients: 2 });
    const client = gate.arrive("127.0.0.1", () => {});
    for (let i = 0; i < 5; i++) expect(client.enter()).toBeUndefined();
    expect(visit(gate, "127.0.0.1").refusal).toBeUndefined();
    client.leave();
    expect(visit(gate, "127.0.0.1").refusal).toBeUndefined();
  });

  it("serves others while silent clients wait, who crowd each other out", () => {
    const gate = new Gate({ ...open, maxClients: 1, maxHandshakes: 3 });
    const silent = [0, 1, 2, 3, 4].map(() => gate.arrive("127.0.0.2", () => {}));
    expect(silent.map(({ isCrowdedOut }) => isCrowdedOut)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(visit(gate, "127.0.0.1").refusal).toBeUndefined();
  });
});
