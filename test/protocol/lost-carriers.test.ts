import { describe, expect, it } from "vitest";
import { LostCarriers, type LostLink } from "../../protocol/lost-carriers.ts";
import { GoAwayReason } from "../../protocol/wire.ts";

const linkOf = (received: number, retained = 0): LostLink => ({ received, retained });

describe("LostCarriers, at the agent", () => {
  it("asks about each carrier once, on the heir of the time", () => {
    const lost = new LostCarriers();
    const [first, heir] = [linkOf(7), linkOf(0)];
    lost.add(1, first);
    expect(lost.ask(heir)).toEqual([{ carrier: 1, received: 7 }]);
    expect(lost.ask(heir)).toEqual([]);
    expect(lost.answered(1, heir)).toBe(first);
    expect(lost.ask(heir)).toEqual([]);
  });

  it("asks again elsewhere when the heir is lost before its answer", () => {
    const lost = new LostCarriers();
    const [heir, next] = [linkOf(3), linkOf(0)];
    lost.add(1, linkOf(7));
    lost.ask(heir);
    lost.add(2, heir);
    expect(lost.ask(next)).toEqual([
      { carrier: 1, received: 7 },
      { carrier: 2, received: 3 },
    ]);
  });

  it("refuses an answer that was not asked for, or not there [M-81]", () => {
    const lost = new LostCarriers();
    const [heir, other] = [linkOf(0), linkOf(0)];
    const code = expect.objectContaining({ name: "ProtocolError", code: "ERR_FRAME_FIELD" });
    lost.add(1, linkOf(7));
    expect(() => lost.answered(1, heir)).toThrow(code);
    lost.ask(heir);
    expect(() => lost.answered(1, other)).toThrow(code);
    expect(() => lost.answered(2, heir)).toThrow(code);
  });

  it("puts at most 256 carriers into one RESUME [M-34]", () => {
    const lost = new LostCarriers();
    for (let carrier = 1; carrier <= 300; carrier++) lost.add(carrier, linkOf(0));
    expect([lost.ask(linkOf(0)).length, lost.ask(linkOf(0)).length]).toEqual([256, 44]);
  });

  it("counts what its carriers keep", () => {
    const lost = new LostCarriers();
    lost.add(1, linkOf(0, 100));
    lost.add(2, linkOf(0, 20));
    expect(lost.retained).toBe(120);
    lost.clear();
    expect(lost.retained).toBe(0);
  });
});

describe("LostCarriers, at the edge", () => {
  it("settles a carrier once, and tells its count again and again", () => {
    const lost = new LostCarriers();
    const link = linkOf(9);
    lost.add(4, link);
    expect([lost.settle(4), lost.receivedOn(4)]).toEqual([link, 9]);
    expect([lost.settle(4), lost.receivedOn(4)]).toEqual([undefined, 9]);
  });

  it("has received nothing on a carrier that it never saw", () => {
    const lost = new LostCarriers();
    expect([lost.settle(4), lost.receivedOn(4)]).toEqual([undefined, 0]);
  });

  it("remembers the last 64, and ends the session of an agent that asks for one before", () => {
    const lost = new LostCarriers();
    for (let carrier = 1; carrier <= 65; carrier++) {
      lost.add(carrier, linkOf(carrier));
      lost.settle(carrier);
    }
    expect([lost.settle(2), lost.receivedOn(2)]).toEqual([undefined, 2]);
    const goAway = GoAwayReason.NoSuchSession;
    expect(() => lost.settle(1)).toThrow(expect.objectContaining({ goAway }));
    expect(() => lost.settle(0)).toThrow(expect.objectContaining({ goAway }));
  });
});
