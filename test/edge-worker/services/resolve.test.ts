import { describe, expect, it } from "vitest";
import type { Policy } from "../../../edge-worker/policy/policy.ts";
import { type Address, formatAddress, parseAddress } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { Command } from "../../../protocol/wire.ts";
import { greetedBridge } from "../../support/bridge-parts.ts";
import { hex } from "../../support/hex.ts";
import { helloWith } from "../../support/session-pair.ts";
import { FullEgress, servingBridge } from "../../support/service-parts.ts";
import { fateOf, readAll } from "../../support/stream-bytes.ts";

const name = parseAddress("example.com", 0);
const address = parseAddress("192.0.2.1", 0);

const denial: Policy = () => {
  throw new StreamError("denied", "Cannot connect: not that one");
};

/** A policy that lets all through, and what it was asked. */
function askedPolicy(): { policy: Policy; asked: string[] } {
  const asked: string[] = [];
  return { asked, policy: (about: Address) => void asked.push(formatAddress(about)) };
}

describe("serveResolve()", () => {
  it("answers with the address of a name, and ends the stream", async () => {
    const { clock, egress, stream, first, session } = await servingBridge(Command.Resolve, name);
    expect(egress.lookups).toMatchObject([{ what: name }]);
    egress.lookups[0]?.answer.resolve(address);
    const received = readAll(stream);
    await clock.run();
    expect(first.now).toEqual(address);
    expect(received).toEqual({ bytes: [], end: null });
    await stream.end();
    await clock.run();
    expect(session.streamCount).toBe(0);
  });

  it.each(["192.0.2.1", "2001:db8::1"])("answers %s with itself, asking nobody", async (host) => {
    const literal = parseAddress(host, 0);
    const { egress, first } = await servingBridge(Command.Resolve, literal);
    expect(first.now).toEqual(literal);
    expect(egress.lookups).toHaveLength(0);
  });

  it.each([name, address])("asks the policy about $host before anybody else", async (what) => {
    const { policy, asked } = askedPolicy();
    await servingBridge(Command.Resolve, what, policy);
    expect(asked).toEqual([formatAddress(what)]);
    const { egress, first } = await servingBridge(Command.Resolve, what, denial);
    expect(first.now).toMatchObject({ reason: "denied" });
    expect(egress.lookups).toHaveLength(0);
  });

  it.each(["name-not-found", "denied", "host-unreachable"] as const)(
    "tells of %s",
    async (reason) => {
      const { clock, egress, first, session } = await servingBridge(Command.Resolve, name);
      egress.lookups[0]?.answer.reject(new StreamError(reason, "Cannot resolve: as it is"));
      await clock.run();
      expect(first.now).toMatchObject({ reason, message: "Cannot resolve: as it is" });
      expect(session.streamCount).toBe(0);
    },
  );

  it("gives a silent resolver up after connectTimeoutMs", async () => {
    const { clock, egress, first } = await servingBridge(Command.Resolve, name);
    await clock.advance(15_000);
    expect(first.now).toMatchObject({ reason: "timed-out" });
    egress.lookups[0]?.answer.resolve(address);
    await clock.run();
    expect(first.now).toMatchObject({ reason: "timed-out" });
  });

  it("looks up a dozen names of one agent at once, and what it takes back counts until it has ended", async () => {
    const egress = new FullEgress();
    const { clock, session } = await greetedBridge({
      egress,
      hello: helloWith({ maxStreams: 20 }),
    });
    const nothing = new Uint8Array();
    const streams = Array.from({ length: 20 }, () => {
      const { stream } = session.open(Command.Resolve, name, nothing);
      void fateOf(stream.answer());
      return stream;
    });
    await clock.run();
    expect(egress.lookups).toHaveLength(12);
    // A flood of RESOLVE and RESET asks no more than that of the resolver.
    for (const stream of streams.slice(0, 18)) stream.abort(new StreamError("cancelled", "Over"));
    await clock.run();
    expect(egress.lookups).toHaveLength(12);
    for (const { answer } of egress.lookups.slice(0, 5)) answer.resolve(address);
    await clock.run();
    expect(egress.lookups).toHaveLength(14);
  });

  it("stops waiting when the agent takes the stream back, and leaves no timer", async () => {
    const { clock, agent, egress, stream } = await servingBridge(Command.Resolve, name);
    stream.abort(new StreamError("cancelled", "The client left"));
    await clock.run();
    egress.lookups[0]?.answer.reject(new Error("late"));
    agent.carriers.cut();
    await clock.run();
    expect(clock.timerCount).toBe(0);
  });
});

describe("serveReverse()", () => {
  it("answers with the name of an address, and ends the stream", async () => {
    const { clock, egress, stream, first } = await servingBridge(Command.ResolvePtr, address);
    expect(egress.lookups).toMatchObject([{ what: address }]);
    egress.lookups[0]?.answer.resolve(name);
    const received = readAll(stream);
    await clock.run();
    expect(first.now).toEqual(name);
    expect(received.end).toBeNull();
  });

  it("refuses a name", async () => {
    const { egress, first } = await servingBridge(Command.ResolvePtr, name);
    expect(first.now).toMatchObject({ reason: "address-unsupported" });
    expect(egress.lookups).toHaveLength(0);
  });

  it("asks the policy about the address before anybody else", async () => {
    const { egress, first } = await servingBridge(Command.ResolvePtr, address, denial);
    expect(first.now).toMatchObject({ reason: "denied" });
    expect(egress.lookups).toHaveLength(0);
  });

  it("tells that there is no name", async () => {
    const { clock, egress, first } = await servingBridge(Command.ResolvePtr, address);
    egress.lookups[0]?.answer.reject(new StreamError("name-not-found", "Cannot resolve: none"));
    await clock.run();
    expect(first.now).toMatchObject({ reason: "name-not-found" });
  });
});

describe("serveResolve() and serveReverse()", () => {
  it.each([Command.Resolve, Command.ResolvePtr])(
    "refuse command %i where the platform has no DNS",
    async (command) => {
      const { clock, session } = await greetedBridge();
      const answer = fateOf(session.open(command, address, hex("")).stream.answer());
      await clock.run();
      expect(answer.now).toMatchObject({ reason: "command-unsupported" });
    },
  );
});
