import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningEdge } from "../../edge-worker/node/serve.ts";
import { type Address, parseAddress } from "../../protocol/address.ts";
import type { Admission } from "../../protocol/admission.ts";
import { Capability, Command } from "../../protocol/wire.ts";
import { connectRawAgent, type RawAgent } from "../support/raw-agent.ts";

const nothing = new Uint8Array();

/** RESOLVE and RESOLVE_PTR of an edge that lets private targets through. */
export function describeNames(edge: () => RunningEdge, admission: Admission): void {
  describe("RESOLVE and RESOLVE_PTR", () => {
    let agent: RawAgent;

    beforeAll(async () => {
      const url = new URL(`ws://127.0.0.1:${edge().port}/`);
      agent = await connectRawAgent(url, admission);
    });
    afterAll(() => agent.close());

    /** Asks by a stream of its own, which ends with its answer. */
    const ask = async (command: number, host: string): Promise<Address> => {
      const { stream } = agent.session.open(command, parseAddress(host, 0), nothing);
      const answer = await stream.answer();
      expect(await stream.read()).toBeNull();
      await stream.end();
      return answer;
    };

    it("are announced in HELLO", () => {
      expect(agent.hello.capabilities & Capability.Resolve).not.toBe(0);
    });

    it("find a loopback address for localhost", async () => {
      expect(["127.0.0.1", "::1"]).toContain((await ask(Command.Resolve, "localhost")).host);
    });

    it.each(["127.0.0.1", "::1"])("answer %s with itself", async (host) => {
      expect(await ask(Command.Resolve, host)).toEqual(parseAddress(host, 0));
    });

    it("answer name-not-found for a name that does not exist", async () => {
      const asking = ask(Command.Resolve, "no-such-name.invalid");
      await expect(asking).rejects.toMatchObject({ reason: "name-not-found" });
    });

    it("answer address-unsupported for the PTR of a name", async () => {
      const asking = ask(Command.ResolvePtr, "localhost");
      await expect(asking).rejects.toMatchObject({ reason: "address-unsupported" });
    });
  });
}
