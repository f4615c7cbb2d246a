import { afterEach, describe, expect, it } from "vitest";
import { exchangeByHttps, type Fetch } from "../../../../edge-worker/egress/dns/doh-client.ts";
import { encodeQuery, RecordType } from "../../../../edge-worker/egress/dns/dns-message.ts";
import { nodeClock } from "../../../../protocol/node/node-clock.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import {
  type Answer,
  answerTo,
  type FakeResolver,
  startResolver,
} from "../../../support/fake-resolver.ts";
import { fateOf } from "../../../support/stream-bytes.ts";
import { closedPort } from "../../../support/target.ts";

const resolvers: FakeResolver[] = [];
const query = encodeQuery(7, "X.test", RecordType.A);
const unreachable = { name: "StreamError", reason: "host-unreachable" };

async function resolverOf(answer: Answer): Promise<FakeResolver> {
  const resolver = await startResolver(() => answer);
  resolvers.push(resolver);
  return resolver;
}

afterEach(() => {
  for (const resolver of resolvers.splice(0)) resolver.close();
});

describe("exchangeByHttps()", () => {
  it("gives the response as it is, under the id of the query", async () => {
    const { url, asked, headers } = await resolverOf(["192.0.2.1"]);
    const response = await exchangeByHttps(url, query, { clock: nodeClock });
    expect(response).toEqual(answerTo(query, ["192.0.2.1"]));
    expect(asked).toEqual(["X.test 1"]);
    const type = "application/dns-message";
    expect(headers[0]).toMatchObject({ accept: type, "content-type": type });
  });

  it("leaves no timer behind", async () => {
    const clock = new FakeClock();
    await exchangeByHttps((await resolverOf([])).url, query, { clock });
    expect(clock.timerCount).toBe(0);
  });

  it.each<[Answer, Answer]>([
    ["500", "500"],
    ["garbage", "garbage"],
    ["too long", "too long"],
    ["another question", "another question"],
    ["hang up", "hang up"],
  ])("refuses %s", async (_what, answer) => {
    const { url } = await resolverOf(answer);
    await expect(exchangeByHttps(url, query, { clock: nodeClock })).rejects.toMatchObject(
      unreachable,
    );
  });

  it("tells when there is no resolver", async () => {
    const url = `http://127.0.0.1:${await closedPort()}/`;
    await expect(exchangeByHttps(url, query, { clock: nodeClock })).rejects.toMatchObject(
      unreachable,
    );
  });

  it("waits three seconds for a silent one", async () => {
    const clock = new FakeClock();
    const signals: AbortSignal[] = [];
    const fetcher: Fetch = (_url, { signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    };
    const fate = fateOf(exchangeByHttps("https://dns.example/", query, { clock, fetcher }));
    await clock.advance(2999);
    expect(fate.now).toBe("pending");
    await clock.advance(1);
    expect(fate.now).toMatchObject(unreachable);
    expect(signals[0]?.aborted).toBe(true);
  });
});
