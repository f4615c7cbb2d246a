import { describe, expect, it } from "vitest";
import { parseAddress, UNSPECIFIED } from "../../../protocol/address.ts";
import { StreamError } from "../../../protocol/errors.ts";
import { Command } from "../../../protocol/wire.ts";
import { greetedBridge } from "../../support/bridge-parts.ts";
import { hex, toHex } from "../../support/hex.ts";
import { type FakeAssociation, FullEgress, servingBridge } from "../../support/service-parts.ts";
import { fateOf, readAll } from "../../support/stream-bytes.ts";

const resolver = parseAddress("192.0.2.53", 53);
const name = parseAddress("example.com", 443);

/** A stream of UDP ASSOCIATE that has been answered, and what came back on it. */
async function associatedBridge() {
  const parts = await servingBridge(Command.UdpAssociate, UNSPECIFIED);
  const [association] = parts.egress.associations;
  const received: string[] = [];
  parts.stream.onDatagram(({ host, port }, bytes) => {
    received.push(`${host} ${port} ${toHex(bytes)}`);
  });
  return { ...parts, association: association as FakeAssociation, received };
}

describe("serveAssociation()", () => {
  it("answers 0.0.0.0:0, as datagrams go by the stream", async () => {
    const { first } = await associatedBridge();
    expect(first.now).toEqual(UNSPECIFIED);
  });

  it("relays datagrams both ways, an empty one too", async () => {
    const { clock, stream, association, received } = await associatedBridge();
    stream.sendDatagram(resolver, hex("0102"));
    stream.sendDatagram(name, hex(""));
    await clock.run();
    expect(association.sent).toEqual(["192.0.2.53:53 0102", "example.com:443 "]);
    association.deliver(resolver, hex("03"));
    association.deliver(parseAddress("2001:db8::1", 9), hex(""));
    await clock.run();
    expect(received).toEqual(["192.0.2.53 53 03", "2001:db8::1 9 "]);
  });

  it("takes the memory of a delivered datagram for lent", async () => {
    const { clock, association, received } = await associatedBridge();
    const lent = hex("0102");
    association.deliver(resolver, lent);
    lent.fill(0xee);
    await clock.run();
    expect(received).toEqual(["192.0.2.53 53 0102"]);
  });

  it("counts the datagrams that found no room", async () => {
    const { clock, association, received, tally } = await associatedBridge();
    for (let i = 0; i < 400; i++) association.deliver(resolver, new Uint8Array(1000));
    await clock.run();
    expect(tally.datagramsDropped).toBeGreaterThan(0);
    expect(received).toHaveLength(400 - tally.datagramsDropped);
  });

  it("drops a datagram longer than MAX_DATAGRAM, and nobody's carrier ends [M-51]", async () => {
    // RFC 8200 has room for 65,527 bytes, so that a peer may send what no frame takes.
    const { clock, agent, association, received } = await associatedBridge();
    association.deliver(resolver, new Uint8Array(65_508));
    association.deliver(resolver, hex("01"));
    await clock.run();
    expect(received).toEqual(["192.0.2.53 53 01"]);
    expect(agent.failure).toBeUndefined();
  });

  it("hands its policy to the sockets", async () => {
    const policy = (): undefined => undefined;
    const bridge = await servingBridge(Command.UdpAssociate, UNSPECIFIED, policy);
    expect(bridge.egress.associations[0]?.policy).toBe(policy);
  });

  it("ends with the agent's FIN", async () => {
    const { clock, stream, association, session } = await associatedBridge();
    const received = readAll(stream);
    await stream.end();
    await clock.run();
    expect(association.closeCount).toBe(1);
    expect(received.end).toBeNull();
    expect(session.streamCount).toBe(0);
  });

  it("ends with the agent's RESET", async () => {
    const { clock, stream, association } = await associatedBridge();
    stream.abort(new StreamError("cancelled", "The client left"));
    await clock.run();
    expect(association.closeCount).toBe(1);
  });

  it("ends with its carrier", async () => {
    const { clock, agent, association } = await associatedBridge();
    agent.carriers.cut();
    await clock.run();
    expect(association.closeCount).toBe(1);
    expect(clock.timerCount).toBe(0);
  });

  it("passes over stream bytes, which an association has no use for", async () => {
    const { clock, stream, association } = await associatedBridge();
    const writing = fateOf(stream.write(new Uint8Array(5000)));
    await clock.run();
    expect(writing.now).toBeUndefined();
    expect(association.closeCount).toBe(0);
    stream.sendDatagram(resolver, hex("01"));
    await clock.run();
    expect(association.sent).toHaveLength(1);
  });

  it("takes no datagram after its end", async () => {
    const { clock, stream, association, received } = await associatedBridge();
    await stream.end();
    await clock.run();
    association.deliver(resolver, hex("03"));
    await clock.run();
    expect(received).toEqual([]);
  });

  it("answers FAILED when there are no sockets to be had", async () => {
    const egress = new FullEgress();
    egress.failure = new Error("EMFILE");
    const bridge = await servingBridge(Command.UdpAssociate, UNSPECIFIED, () => {}, { egress });
    expect(bridge.first.now).toMatchObject({ reason: "general", message: "EMFILE" });
  });

  it("refuses where the platform has no UDP", async () => {
    const { clock, session } = await greetedBridge();
    const { stream } = session.open(Command.UdpAssociate, UNSPECIFIED, hex(""));
    const answer = fateOf(stream.answer());
    await clock.run();
    expect(answer.now).toMatchObject({
      reason: "command-unsupported",
      message: "This edge does not serve UDP",
    });
  });
});
