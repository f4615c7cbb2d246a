import { describe, expect, it } from "vitest";
import { diagnose, type NameCheck } from "../../../edge-worker/egress/diagnosis.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { strictPolicy } from "../../support/policies.ts";

const name = parseAddress("example.com", 443);
const address = parseAddress("1.2.3.4", 443);
const ipv6 = parseAddress("2600::1", 443);
const cause = new Error("proxy request failed, cannot connect to the specified address");
const policy = strictPolicy;

/** A resolver that gives these addresses. */
const has =
  (...hosts: readonly string[]): NameCheck =>
  async () =>
    hosts.map((host) => parseAddress(host, 0));
const unsure: NameCheck = async () => undefined;
const neverAsked: NameCheck = () => {
  throw new Error("The resolver was asked");
};

const told = (target: typeof name, elapsedMs: number, nameCheck: NameCheck, hasIpv6 = true) =>
  diagnose({ target, elapsedMs, cause }, { nameCheck, policy, hasIpv6 });

describe("diagnose()", () => {
  it.each([
    ["a name that does not exist", name, 10, has(), "name-not-found"],
    ["a name that does not exist, found out late", name, 9000, has(), "name-not-found"],
    ["a quick no from a name that exists", name, 10, has("1.2.3.4"), "connection-refused"],
    ["a quick no, and no word from the resolver", name, 10, unsure, "connection-refused"],
    ["a quick no from an address", address, 4999, neverAsked, "connection-refused"],
    ["a quick no from an IPv6 address", ipv6, 10, neverAsked, "connection-refused"],
    ["a long silence of a name that exists", name, 5000, has("1.2.3.4"), "timed-out"],
    ["a long silence, the resolver's too", name, 20_000, unsure, "timed-out"],
    ["a long silence of an address", address, 5000, neverAsked, "timed-out"],
  ] as const)("tells %s", async (_what, target, elapsedMs, nameCheck, reason) => {
    const error = await told(target, elapsedMs, nameCheck);
    expect(error).toBeInstanceOf(StreamError);
    expect(error).toMatchObject({ reason, cause });
  });

  it.each([
    ["a private address", has("10.0.0.1")],
    ["private addresses of both families", has("127.0.0.1", "::1")],
    ["an address in disguise", has("::ffff:127.0.0.1")],
  ])("tells that a name stands for %s, which the platform does not dial", async (_what, check) => {
    for (const elapsedMs of [10, 20_000]) {
      expect(await told(name, elapsedMs, check)).toMatchObject({
        reason: "denied",
        message: expect.stringContaining("special-purpose") as string,
      });
    }
  });

  it("tells a refusal when one of the addresses could be dialled", async () => {
    const error = await told(name, 10, has("10.0.0.1", "1.2.3.4"));
    expect(error.reason).toBe("connection-refused");
  });

  it.each([
    ["an IPv6 address", ipv6, neverAsked, "network-unreachable"],
    ["a name with IPv6 alone", name, has("2600::1", "2600::2"), "network-unreachable"],
    ["a name with IPv4, too", name, has("2600::1", "1.2.3.4"), "connection-refused"],
    ["an IPv4 address", address, neverAsked, "connection-refused"],
    ["a name that nobody knows of", name, unsure, "connection-refused"],
  ] as const)("tells of %s where there is no IPv6", async (_what, target, check, reason) => {
    expect((await told(target, 10, check, false)).reason).toBe(reason);
  });

  it("asks the policy about the port that was dialled", async () => {
    const error = await told({ ...name, port: 25 }, 10, has("1.2.3.4"));
    expect(error).toMatchObject({ reason: "denied" });
  });

  it("lets a bug of the policy through", async () => {
    const bug = new TypeError("a bug");
    const broken = (): never => {
      throw bug;
    };
    const means = { nameCheck: neverAsked, policy: broken, hasIpv6: true };
    await expect(diagnose({ target: address, elapsedMs: 10, cause }, means)).rejects.toBe(bug);
  });

  it("asks for the name as it was dialled", async () => {
    const asked: string[] = [];
    await told(name, 10, async (host) => void asked.push(host));
    expect(asked).toEqual(["example.com"]);
  });

  it("says how long the silence was", async () => {
    const { message } = await told(address, 19_400, neverAsked);
    expect(message).toContain("no answer within 19 s");
  });
});
