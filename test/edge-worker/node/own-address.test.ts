import type { NetworkInterfaceInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { type Interfaces, ownAddress } from "../../../edge-worker/node/own-address.ts";

const info = (address: string, internal = false): NetworkInterfaceInfo => {
  const common = { address, netmask: "", mac: "", internal, cidr: null };
  return address.includes(":")
    ? { ...common, family: "IPv6", scopeid: 0 }
    : { ...common, family: "IPv4" };
};
const lo = [info("127.0.0.1", true), info("::1", true)];
const machine: Interfaces = {
  lo,
  docker0: [info("172.17.0.1"), info("fe80::1")],
  eth0: [info("198.51.100.7"), info("fe80::2"), info("2001:db8::7")],
  wlan0: [info("203.0.113.7"), info("2001:db8:1::7")],
};

const HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT";
const row4 = (name: string, destination: string, flags: string, metric: number, mask: string) =>
  `${name}\t${destination}\t010200C0\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0   `;
const ANY = "0".repeat(32);
const row6 = (name: string, destination: string, length: string, metric: string, flags: string) =>
  `${destination} ${length} ${ANY} 00 ${ANY} ${metric} 00000003 00000000 ${flags}     ${name}`;

const routes4 = [
  HEAD,
  row4("docker0", "000011AC", "0001", 0, "0000FFFF"),
  row4("docker0", "00000000", "0003", 0, "00000080"),
  row4("wlan0", "00000000", "0003", 600, "00000000"),
  row4("eth0", "00000000", "0003", 100, "00000000"),
  "",
].join("\n");
const routes6 = [
  row6("docker0", "20010db8000000000000000000000000", "20", "00000001", "00000001"),
  row6("lo", ANY, "00", "00000000", "00200200"),
  row6("wlan0", ANY, "00", "00000258", "00000003"),
  row6("eth0", ANY, "00", "00000064", "00000003"),
  "",
].join("\n");

describe("ownAddress()", () => {
  it("is that of the default route with the smallest metric", () => {
    expect(ownAddress("ipv4", machine, routes4)).toBe("198.51.100.7");
    expect(ownAddress("ipv6", machine, routes6)).toBe("2001:db8::7");
  });

  it.each(["", "garbage\n\0\n", HEAD, routes4.replaceAll("0003", "0002")])(
    "is any that is not for this machine or link alone, without a default route: %j",
    (routes) => {
      expect(ownAddress("ipv4", machine, routes)).toBe("172.17.0.1");
      expect(ownAddress("ipv6", machine, routes)).toBe("2001:db8::7");
    },
  );

  it("is loopback where there is nothing else, and undefined where there is not even that", () => {
    expect(ownAddress("ipv4", { lo }, routes4)).toBe("127.0.0.1");
    expect(ownAddress("ipv6", { lo }, routes6)).toBe("::1");
    expect(ownAddress("ipv6", { lo: [info("127.0.0.1", true)] }, "")).toBeUndefined();
  });

  it("knows the addresses of this machine", () => {
    expect(ownAddress("ipv4")).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
  });
});
