import { describe, expect, it } from "vitest";
import { capabilitiesOf, type Egress } from "../../../edge-worker/egress/egress.ts";
import { createNodeEgress } from "../../../edge-worker/node/node-egress.ts";
import { Capability } from "../../../protocol/wire.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeEgress } from "../../support/fake-egress.ts";
import { FullEgress } from "../../support/service-parts.ts";

const { Bind, UdpNative, Resolve } = Capability;
const tcp = new FakeEgress();
const connect: Egress["connect"] = (...dial) => tcp.connect(...dial);
const onNode = createNodeEgress({ clock: new FakeClock(), maxDials: 4 });
const { listen, associate, resolve, reverse } = new FullEgress();

describe("capabilitiesOf()", () => {
  it.each<[string, Egress, number]>([
    ["TCP alone", { connect }, 0],
    ["BIND", { connect, listen }, Bind],
    ["UDP", { connect, associate }, UdpNative],
    ["names both ways", { connect, resolve, reverse }, Resolve],
    ["names one way, which is not enough", { connect, resolve }, 0],
    ["all of Node", onNode, Bind | UdpNative | Resolve],
  ])("tells of %s", (_what, egress, capabilities) => {
    expect(capabilitiesOf(egress)).toBe(capabilities);
  });
});
