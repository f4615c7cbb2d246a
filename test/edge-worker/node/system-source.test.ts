import { lookup, reverse } from "node:dns/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemSource } from "../../../edge-worker/node/system-source.ts";

// No query leaves this machine: lookup() is the real one for names that no resolver is asked about
// (RFC 6761), and otherwise the system is what each test says.
vi.mock("node:dns/promises", async (importActual) => {
  const actual = await importActual<typeof import("node:dns/promises")>();
  return { ...actual, lookup: vi.fn(actual.lookup), reverse: vi.fn() };
});

const errorOf = (code: string): Error => Object.assign(new Error(code), { code });

beforeEach(async () => {
  const actual = await vi.importActual<typeof import("node:dns/promises")>("node:dns/promises");
  vi.mocked(lookup).mockReset().mockImplementation(actual.lookup);
});
afterEach(() => void vi.mocked(reverse).mockReset());

describe("systemSource.addressesOf()", () => {
  it("finds loopback for localhost, and keeps nothing", async () => {
    const { data, ttlMs } = await systemSource.addressesOf("localhost");
    expect(data.length).toBeGreaterThan(0);
    expect(data.filter((host) => !["127.0.0.1", "::1"].includes(host))).toEqual([]);
    expect(ttlMs).toBe(0);
  });

  it.each(["127.0.0.1", "::1"])("gives %s for itself", async (host) => {
    expect((await systemSource.addressesOf(host)).data).toEqual([host]);
  });

  it("gives all addresses in the system's order, without those of one machine only", async () => {
    vi.mocked(lookup).mockResolvedValue([
      { address: "2001:db8::1", family: 6 },
      { address: "fe80::1%eth0", family: 6 },
      { address: "192.0.2.1", family: 4 },
    ] as never);
    expect((await systemSource.addressesOf("x.test")).data).toEqual(["2001:db8::1", "192.0.2.1"]);
    expect(lookup).toHaveBeenCalledExactlyOnceWith("x.test", { all: true, verbatim: true });
  });

  it.each(["ENOTFOUND", "ENODATA"])("finds nothing when the system says %s", async (code) => {
    vi.mocked(lookup).mockRejectedValue(errorOf(code));
    expect(await systemSource.addressesOf("x.invalid")).toEqual({ data: [], ttlMs: 0 });
  });

  it.each([
    ["EAI_AGAIN", "host-unreachable"],
    ["EAI_FAIL", "general"],
  ])("tells of %s", async (code, reason) => {
    vi.mocked(lookup).mockRejectedValue(errorOf(code));
    await expect(systemSource.addressesOf("x.test")).rejects.toMatchObject({
      name: "StreamError",
      reason,
      message: expect.stringContaining(code) as string,
    });
  });
});

describe("systemSource.namesOf()", () => {
  it("gives the names as the system does", async () => {
    vi.mocked(reverse).mockResolvedValue(["DNS.Example.", "other.example"]);
    expect((await systemSource.namesOf("192.0.2.1")).data).toEqual([
      "DNS.Example.",
      "other.example",
    ]);
    expect(reverse).toHaveBeenCalledExactlyOnceWith("192.0.2.1");
  });

  it("finds nothing when there is no name, and tells of failures", async () => {
    vi.mocked(reverse).mockRejectedValueOnce(errorOf("ENOTFOUND"));
    expect((await systemSource.namesOf("192.0.2.1")).data).toEqual([]);
    vi.mocked(reverse).mockRejectedValueOnce(errorOf("EAI_AGAIN"));
    const failing = systemSource.namesOf("192.0.2.1");
    await expect(failing).rejects.toMatchObject({ reason: "host-unreachable" });
  });
});
