import { once } from "node:events";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { serveRunner } from "../../../edge-worker/node/runner-service.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const access = { keys: [{ id: "ann", secret: "the secret of ann" }], rules: [] };

async function startRunner() {
  const socketPath = join(tempFolder(), "runner.sock");
  const runner = await serveRunner(socketPath, access);
  onTestFinished(() => runner.close());
  /** Asks as the Worker does; `asked` tells when the question has gone out. */
  const ask = (path = "/stop") => {
    const asking = request({ socketPath, path });
    asking.end();
    const answer = once(asking, "response").then(([response]) => text(response));
    return { asking, answer };
  };
  return { runner, ask };
}

describe("serveRunner(), /stop", () => {
  it("answers all who wait when it is time, and whoever asks later at once", async () => {
    const { runner, ask } = await startRunner();
    const [one, another] = [ask(), ask()];
    await Promise.all([once(one.asking, "finish"), once(another.asking, "finish")]);
    runner.stop(3000);
    expect(await Promise.all([one.answer, another.answer])).toEqual(["3000", "3000"]);
    expect(await ask().answer).toBe("3000");
  });

  it("forgets who has gone", async () => {
    const { runner, ask } = await startRunner();
    const { asking, answer } = ask();
    await once(asking, "finish");
    asking.destroy();
    await expect(answer).rejects.toThrow();
    expect(() => runner.stop(1)).not.toThrow();
  });
});

describe("serveRunner(), /access", () => {
  it("tells the keys and rules, with their version", async () => {
    const { ask } = await startRunner();
    expect(JSON.parse(await ask("/access?seen=").answer)).toEqual({ version: 1, ...access });
  });

  it("waits for others, where these are known", async () => {
    const { runner, ask } = await startRunner();
    const { asking, answer } = ask("/access?seen=1");
    await once(asking, "finish");
    const other = { keys: [{ id: "bob", secret: "the secret of bob" }], rules: [] };
    runner.replace(other);
    expect(JSON.parse(await answer)).toEqual({ version: 2, ...other });
    expect(JSON.parse(await ask("/access?seen=1").answer)).toEqual({ version: 2, ...other });
  });
});
