import { describe, expect, it } from "vitest";
import type { Egress } from "../../../../edge-worker/egress/egress.ts";
import { Routes } from "../../../../edge-worker/egress/upstream/routes.ts";
import type { Upstream } from "../../../../edge-worker/egress/upstream/upstream.ts";
import { parseAddress } from "../../../../protocol/address.ts";
import { FakeEgress } from "../../../support/fake-egress.ts";
import { FullEgress } from "../../../support/service-parts.ts";

const target = parseAddress("a.example", 443);
const other = parseAddress("b.example", 443);

/** An upstream that takes a.example. */
function upstream(changes: Partial<Upstream> = {}): Upstream {
  return {
    egress: new FakeEgress(),
    mode: "fallback",
    isForBlocked: false,
    takes: ({ host }) => host === target.host,
    ...changes,
  };
}

describe("Routes.always()", () => {
  it("gives the upstreams of that mode that take the target, in order", () => {
    const [first, second] = [upstream({ mode: "always" }), upstream({ mode: "always" })];
    const routes = new Routes(new FakeEgress(), [upstream(), first, second], "ann");
    expect(routes.always(target, "tcp")).toEqual([first.egress, second.egress]);
    expect(routes.always(other, "tcp")).toBeUndefined();
  });

  it("leaves out those that are for blocked targets", () => {
    const marked = upstream({ mode: "always", isForBlocked: true });
    expect(new Routes(new FakeEgress(), [marked], "ann").always(target, "tcp")).toBeUndefined();
  });

  it("asks by protocol and user", () => {
    const takes: Upstream["takes"] = (_target, protocol, user) =>
      protocol === "bind" && user === "ann";
    const routes = new Routes(new FakeEgress(), [upstream({ mode: "always", takes })], "ann");
    expect(routes.always(target, "tcp")).toBeUndefined();
    expect(routes.always(target, "bind")).toHaveLength(1);
  });
});

describe("Routes.aroundBlock()", () => {
  it("gives those that are for blocked targets first, then the other fallbacks", () => {
    const [plain, marked] = [upstream(), upstream({ isForBlocked: true })];
    const routes = new Routes(new FakeEgress(), [plain, marked], "ann");
    expect(routes.aroundBlock(target)).toEqual([marked.egress, plain.egress]);
    expect(routes.aroundBlock(other)).toEqual([]);
    expect(routes.fallbacks(target, "tcp")).toEqual([plain.egress]);
  });
});

describe("Routes.able()", () => {
  const full: Egress = new FullEgress();

  it("leaves out what cannot do it", () => {
    const routes = new Routes(new FakeEgress(), [upstream(), upstream({ egress: full })], "ann");
    expect(routes.able("listen", target, "bind")).toEqual([full]);
  });

  it("begins with the direct way", () => {
    const routes = new Routes(full, [upstream({ egress: full })], "ann");
    expect(routes.able("listen", target, "bind")).toEqual([full, full]);
    expect(routes.able("listen", other, "bind")).toEqual([full]);
  });

  it("does not go past an upstream that is to take it always, and cannot", () => {
    const routes = new Routes(full, [upstream({ mode: "always" })], "ann");
    const able = () => routes.able("resolve", target, "resolve");
    expect(able).toThrow(expect.objectContaining({ reason: "command-unsupported" }));
    expect(routes.able("resolve", other, "resolve")).toEqual([full]);
  });
});

describe("Routes.forDatagram()", () => {
  const full: Egress = new FullEgress();
  const other: Egress = new FullEgress();

  it("gives the direct way before a fallback, and that where there is no direct one", () => {
    const upstreams = [upstream({ egress: other })];
    expect(new Routes(full, upstreams, "ann").forDatagram(target)).toBe(full);
    expect(new Routes(new FakeEgress(), upstreams, "ann").forDatagram(target)).toBe(other);
  });

  it("gives no way past an upstream that takes it always, and has no UDP", () => {
    const routes = new Routes(full, [upstream({ mode: "always" })], "ann");
    expect(routes.forDatagram(target)).toBeUndefined();
  });

  it("leaves out upstreams for blocked targets, which are of TCP", () => {
    const upstreams = [upstream({ egress: other, isForBlocked: true })];
    const routes = new Routes(new FakeEgress(), upstreams, "ann");
    expect(routes.forDatagram(target)).toBeUndefined();
    expect(routes.withUdp()).toEqual([]);
  });
});

describe("Routes.can()", () => {
  it("looks at all ways", () => {
    const tcp = new FakeEgress();
    expect(new Routes(tcp, [upstream()], "ann").can("listen")).toBe(false);
    expect(new Routes(tcp, [upstream({ egress: new FullEgress() })], "ann").can("listen")).toBe(
      true,
    );
    expect(new Routes(new FullEgress(), [], "ann").can("listen")).toBe(true);
  });
});
