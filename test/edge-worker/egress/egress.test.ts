import { describe, expect, it } from "vitest";
import { capabilitiesOf, type Egress } from "../../../edge-worker/egress/egress.ts";
import { createNodeEgress } from "../../../edge-worker/node/node-egress.ts";
import { Capability } from "../../../protocol/wire.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeEgress } from "../../support/fake-egress.ts";
import { FullEgress } from "../../support/service-parts.ts";
import { recordedLog } from "../../support/log.ts";
import { nodeOutbound } from "../../../edge-worker/egress/outbound.ts";

const { Bind, UdpDns, UdpNative, Resolve } = Capability;
const tcp = new FakeEgress();
const connect: Egress["connect"] = (...dial) => tcp.connect(...dial);
const onNode = createNodeEgress({
  clock: new FakeClock(),
  maxDials: 4,
  log: recordedLog(),
  outbound: nodeOutbound,
});
const { listen, associate, resolve, reverse } = new FullEgress();

describe("capabilitiesOf()", () => {
  it.each<[string, Egress, number]>([
    ["TCP alone", { connect }, 0],
    ["BIND", { connect, listen }, Bind],
    ["UDP", { connect, associate }, UdpNative],
    ["UDP for DNS alone", { connect, associate, isDnsOnly: true }, UdpDns],
    ["no UDP that would be for DNS", { connect, isDnsOnly: true }, 0],
    ["names both ways", { connect, resolve, reverse }, Resolve],
    ["names one way, which is not enough", { connect, resolve }, 0],
    ["all of Node", onNode, Bind | UdpNative | Resolve],
  ])("tells of %s", (_what, egress, capabilities) => {
    expect(capabilitiesOf(egress)).toBe(capabilities);
  });
});
