import type { NetworkInterfaceInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { watchNetwork } from "../../../client-agent/node/network-watch.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const info = (address: string, internal = false): NetworkInterfaceInfo => ({
  address,
  internal,
  family: "IPv4",
  netmask: "255.255.255.0",
  mac: "00:00:00:00:00:00",
  cidr: null,
});

function watched(first: Record<string, NetworkInterfaceInfo[]>) {
  const clock = new FakeClock();
  const network = { interfaces: first };
  const sleeps: boolean[] = [];
  const stop = watchNetwork(
    clock,
    (hasSlept) => void sleeps.push(hasSlept),
    () => network.interfaces,
  );
  return { clock, network, stop, sleeps, changes: () => sleeps.length };
}

describe("watchNetwork()", () => {
  it("calls back once for each change of an address", async () => {
    const { clock, network, changes } = watched({ wlan0: [info("192.0.2.1")] });
    await clock.advance(20_000);
    expect(changes()).toBe(0);
    network.interfaces = { wlan0: [info("192.0.2.1")], wwan0: [info("198.51.100.1")] };
    await clock.advance(20_000);
    network.interfaces = { wwan0: [info("198.51.100.1")] };
    await clock.advance(20_000);
    expect(changes()).toBe(2);
  });

  it("passes over the order of addresses, and those inside the machine", async () => {
    const { clock, network, changes } = watched({ eth0: [info("192.0.2.1"), info("192.0.2.2")] });
    network.interfaces = {
      lo: [info("127.0.0.1", true)],
      eth0: [info("192.0.2.2"), info("192.0.2.1")],
    };
    await clock.advance(20_000);
    expect(changes()).toBe(0);
  });

  it("sees an interface that takes the address of another", async () => {
    const { clock, network, sleeps } = watched({ eth0: [info("192.0.2.1")] });
    network.interfaces = { wlan0: [info("192.0.2.1")] };
    await clock.advance(2000);
    expect(sleeps).toEqual([false]);
  });

  it("finds within 2 s of waking that the machine has slept, by the wall's clock", async () => {
    const { clock, sleeps } = watched({ eth0: [info("192.0.2.1")] });
    await clock.advance(3000);
    clock.sleptMs = 9999;
    await clock.advance(2000);
    expect(sleeps).toEqual([]);
    clock.sleptMs += 60_000;
    await clock.advance(2000);
    expect(sleeps).toEqual([true]);
    await clock.advance(20_000);
    expect(sleeps).toEqual([true]);
  });

  it("leaves no timer when it is ended", async () => {
    const { clock, stop } = watched({});
    await clock.advance(5000);
    stop();
    expect(clock.timerCount).toBe(0);
  });
});
