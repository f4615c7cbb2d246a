import { describe, expect, it } from "vitest";
import { RoutedAssociation } from "../../../../edge-worker/egress/upstream/routed-association.ts";
import { Routes } from "../../../../edge-worker/egress/upstream/routes.ts";
import type { Upstream } from "../../../../edge-worker/egress/upstream/upstream.ts";
import type { Policy } from "../../../../edge-worker/policy/policy.ts";
import { parseAddress } from "../../../../protocol/address.ts";
import { StreamError } from "../../../../protocol/errors.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeEgress } from "../../../support/fake-egress.ts";
import { hex } from "../../../support/hex.ts";
import { FullEgress } from "../../../support/service-parts.ts";

const near = parseAddress("192.0.2.1", 53);
const far = parseAddress("198.51.100.1", 53);

/** A direct way, and an upstream for what is far. */
function associated(
  mode: Upstream["mode"],
  direct: FakeEgress = new FullEgress(),
  policy: Policy = () => undefined,
) {
  const up = new FullEgress();
  const takes: Upstream["takes"] = ({ host }) => host === far.host;
  const upstreams: Upstream[] = [{ egress: up, mode, isForBlocked: false, takes }];
  const delivered: string[] = [];
  const opening = RoutedAssociation.open(
    new Routes(direct, upstreams, "test"),
    policy,
    ({ host }) => {
      delivered.push(host);
    },
  );
  return { up, opening, delivered, clock: new FakeClock() };
}

describe("RoutedAssociation", () => {
  it("sends each datagram its way, and opens a way with the first", async () => {
    const direct = new FullEgress();
    const { up, opening, clock } = associated("always", direct);
    const association = await opening;
    expect([direct.associations.length, up.associations.length]).toEqual([1, 0]);
    association.send(near, hex("01"));
    association.send(far, hex("02"));
    association.send(far, hex("03"));
    await clock.run();
    association.send(far, hex("04"));
    expect(direct.associations[0]?.sent).toEqual(["192.0.2.1:53 01"]);
    expect(up.associations).toHaveLength(1);
    expect(up.associations[0]?.sent).toEqual(
      ["02", "03", "04"].map((bytes) => `198.51.100.1:53 ${bytes}`),
    );
  });

  it("copies what waits, as the bytes are the caller's again", async () => {
    const { up, opening, clock } = associated("always");
    const association = await opening;
    const bytes = hex("0102");
    association.send(far, bytes);
    bytes.fill(0xee);
    await clock.run();
    expect(up.associations[0]?.sent).toEqual(["198.51.100.1:53 0102"]);
  });

  it("holds 64 datagrams while a way opens, and drops the rest", async () => {
    const { up, opening, clock } = associated("always");
    const association = await opening;
    for (let i = 0; i < 70; i++) association.send(far, Uint8Array.of(i));
    await clock.run();
    expect(up.associations[0]?.sent).toHaveLength(64);
  });

  it("delivers what comes by any way", async () => {
    const direct = new FullEgress();
    const { up, opening, delivered, clock } = associated("always", direct);
    (await opening).send(far, hex("01"));
    await clock.run();
    direct.associations[0]?.deliver(near, hex("01"));
    up.associations[0]?.deliver(far, hex("01"));
    expect(delivered).toEqual([near.host, far.host]);
  });

  it("goes directly before a fallback, as UDP tells of no failure", async () => {
    const direct = new FullEgress();
    const { up, opening } = associated("fallback", direct);
    (await opening).send(far, hex("01"));
    expect(direct.associations[0]?.sent).toHaveLength(1);
    expect(up.associations).toHaveLength(0);
  });

  it("uses a fallback where the platform has no UDP, and drops what that does not take", async () => {
    const { up, opening } = associated("fallback", new FakeEgress());
    const association = await opening;
    association.send(near, hex("01"));
    association.send(far, hex("02"));
    expect(up.associations[0]?.sent).toEqual(["198.51.100.1:53 02"]);
  });

  it("is refused where neither the platform nor the upstream has UDP", async () => {
    const { up, opening } = associated("fallback", new FakeEgress());
    await opening;
    up.failure = new StreamError("command-unsupported", "no UDP here");
    const takes: Upstream["takes"] = () => true;
    const upstreams: Upstream[] = [{ egress: up, mode: "always", isForBlocked: false, takes }];
    const refused = RoutedAssociation.open(
      new Routes(new FakeEgress(), upstreams, "test"),
      () => undefined,
      () => {},
    );
    await expect(refused).rejects.toMatchObject({ reason: "command-unsupported" });
  });

  it("asks the policy about what goes by an upstream", async () => {
    const policy: Policy = () => {
      throw new StreamError("denied", "no");
    };
    const { up, opening, clock } = associated("always", new FullEgress(), policy);
    (await opening).send(far, hex("01"));
    await clock.run();
    expect(up.associations[0]?.sent).toEqual([]);
  });

  it("tries a way again that could not be opened, with the next datagram", async () => {
    const { up, opening, clock } = associated("always");
    const association = await opening;
    up.failure = new StreamError("edge-unavailable", "not now");
    association.send(far, hex("01"));
    await clock.run();
    up.failure = undefined;
    association.send(far, hex("02"));
    await clock.run();
    expect(up.associations[0]?.sent).toEqual(["198.51.100.1:53 02"]);
  });

  it("closes every way, one that opens too late as well, and opens none any more", async () => {
    const direct = new FullEgress();
    const { up, opening, clock } = associated("always", direct);
    const association = await opening;
    association.send(far, hex("01"));
    association.close();
    await clock.run();
    association.send(far, hex("02"));
    await clock.run();
    expect(direct.associations.map(({ closeCount }) => closeCount)).toEqual([1]);
    expect(up.associations.map(({ closeCount }) => closeCount)).toEqual([1]);
    expect(up.associations[0]?.sent).toEqual([]);
  });
});
