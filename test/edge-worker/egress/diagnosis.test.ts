import { describe, expect, it } from "vitest";
import { diagnose, type NameCheck } from "../../../edge-worker/egress/diagnosis.ts";
import { parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";

const name = parseAddress("example.com", 443);
const address = parseAddress("1.2.3.4", 443);
const cause = new Error("proxy request failed, cannot connect to the specified address");

const missing: NameCheck = async () => false;
const exists: NameCheck = async () => true;
const unsure: NameCheck = async () => undefined;
const neverAsked: NameCheck = () => {
  throw new Error("The resolver was asked");
};

describe("diagnose()", () => {
  it.each([
    ["a name that does not exist", name, 10, missing, "name-not-found"],
    ["a name that does not exist, found out late", name, 9000, missing, "name-not-found"],
    ["a quick no from a name that exists", name, 10, exists, "connection-refused"],
    ["a quick no, and no word from the resolver", name, 10, unsure, "connection-refused"],
    ["a quick no from an address", address, 4999, neverAsked, "connection-refused"],
    ["a long silence of a name that exists", name, 5000, exists, "timed-out"],
    ["a long silence, the resolver's too", name, 20_000, unsure, "timed-out"],
    ["a long silence of an address", address, 5000, neverAsked, "timed-out"],
  ] as const)("tells %s", async (_what, target, elapsedMs, nameExists, reason) => {
    const error = await diagnose(target, elapsedMs, cause, nameExists);
    expect(error).toBeInstanceOf(StreamError);
    expect(error).toMatchObject({ reason, cause });
  });

  it("asks for the name as it was dialled", async () => {
    const asked: string[] = [];
    await diagnose(name, 10, cause, async (host) => void asked.push(host));
    expect(asked).toEqual(["example.com"]);
  });

  it("says how long the silence was", async () => {
    const { message } = await diagnose(address, 19_400, cause, neverAsked);
    expect(message).toContain("no answer within 19 s");
  });
});
