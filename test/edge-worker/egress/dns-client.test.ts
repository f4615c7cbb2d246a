import { afterEach, describe, expect, it, vi } from "vitest";
import { askDns, type Fetch } from "../../../edge-worker/egress/dns-client.ts";
import { dnsJson, type FakeResolver, startResolver } from "../../support/fake-resolver.ts";
import { closedPort } from "../../support/target.ts";

const resolvers: FakeResolver[] = [];

async function resolverOf(answer: string): Promise<FakeResolver> {
  const resolver = await startResolver({ A: answer, AAAA: answer, PTR: answer });
  resolvers.push(resolver);
  return resolver;
}

afterEach(() => {
  vi.restoreAllMocks();
  for (const resolver of resolvers.splice(0)) resolver.close();
});

describe("askDns()", () => {
  it("gives the data of all records, in order", async () => {
    const { url } = await resolverOf(dnsJson(0, "alias.example", "192.0.2.1", "192.0.2.2"));
    expect(await askDns(url, "example.com", "A")).toEqual({
      status: "found",
      data: ["alias.example", "192.0.2.1", "192.0.2.2"],
    });
  });

  it.each([
    ["NXDOMAIN", dnsJson(3), "missing"],
    ["NXDOMAIN behind a CNAME", dnsJson(3, "alias.example"), "missing"],
    ["no records", dnsJson(0), "missing"],
    ["no Answer at all", '{"Status":0}', "missing"],
    ["SERVFAIL", dnsJson(2), "unknown"],
    ["REFUSED", dnsJson(5, "192.0.2.1"), "unknown"],
    ["an HTTP error", "500", "unknown"],
    ["garbage", "<html>", "unknown"],
    ["nothing", "", "unknown"],
    ["other JSON", '{"Status":"0","Answer":3}', "unknown"],
    ["a cut connection", "hang up", "unknown"],
  ])("takes %s for what it is", async (_what, answer, status) => {
    const { url } = await resolverOf(answer);
    expect(await askDns(url, "example.com", "A")).toEqual({ status });
  });

  it("asks for a name and a type as application/dns-json, and keeps the URL's query", async () => {
    const { url, asked, accepted } = await resolverOf(dnsJson(3));
    await askDns(url, "xn--bcher-kva.example", "PTR");
    expect(asked.map(({ searchParams }) => Object.fromEntries(searchParams))).toEqual([
      { ct: "json", name: "xn--bcher-kva.example", type: "PTR" },
    ]);
    expect(accepted).toEqual(["application/dns-json"]);
  });

  it("writes a name so that it stays one parameter", async () => {
    const { url, asked } = await resolverOf(dnsJson(3));
    await askDns(url, "a&type=PTR#?.example", "A");
    expect(asked[0]?.searchParams.get("name")).toBe("a&type=PTR#?.example");
    expect(asked[0]?.searchParams.getAll("type")).toEqual(["A"]);
  });

  it("knows nothing when there is no resolver", async () => {
    const url = `http://127.0.0.1:${await closedPort()}/dns-query`;
    expect(await askDns(url, "example.com", "A")).toEqual({ status: "unknown" });
  });

  it("waits three seconds for a silent one", async () => {
    const { url, asked } = await resolverOf("silence");
    const ending = new AbortController();
    const timeout = vi.spyOn(AbortSignal, "timeout").mockReturnValue(ending.signal);
    const asking = askDns(url, "example.com", "A");
    await vi.waitUntil(() => asked.length === 1);
    expect(timeout).toHaveBeenCalledExactlyOnceWith(3000);
    ending.abort(new DOMException("The time is over", "TimeoutError"));
    expect(await asking).toEqual({ status: "unknown" });
  });

  it("goes by the fetcher that it is given", async () => {
    const urls: string[] = [];
    const fetcher: Fetch = async (url) => {
      urls.push(url.href);
      return { json: async () => JSON.parse(dnsJson(0, "192.0.2.1")) as unknown };
    };
    const answer = await askDns("https://dns.example/dns-query", "x.test", "A", fetcher);
    expect(answer).toEqual({ status: "found", data: ["192.0.2.1"] });
    expect(urls).toEqual(["https://dns.example/dns-query?name=x.test&type=A"]);
  });
});
