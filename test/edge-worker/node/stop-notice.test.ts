import { once } from "node:events";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { serveStopNotice } from "../../../edge-worker/node/stop-notice.ts";
import { tempFolder } from "../../support/temp-folder.ts";

async function startNotice() {
  const socketPath = join(tempFolder(), "notice.sock");
  const notice = await serveStopNotice(socketPath);
  onTestFinished(() => notice.close());
  /** Asks as the Worker does; `asked` tells when the question has gone out. */
  const ask = () => {
    const asking = request({ socketPath, path: "/stop" });
    asking.end();
    const answer = once(asking, "response").then(([response]) => text(response));
    return { asking, answer };
  };
  return { notice, ask };
}

describe("serveStopNotice()", () => {
  it("answers all who wait when it is time, and whoever asks later at once", async () => {
    const { notice, ask } = await startNotice();
    const [one, another] = [ask(), ask()];
    await Promise.all([once(one.asking, "finish"), once(another.asking, "finish")]);
    notice.give(3000);
    expect(await Promise.all([one.answer, another.answer])).toEqual(["3000", "3000"]);
    expect(await ask().answer).toBe("3000");
  });

  it("forgets who has gone", async () => {
    const { notice, ask } = await startNotice();
    const { asking, answer } = ask();
    await once(asking, "finish");
    asking.destroy();
    await expect(answer).rejects.toThrow();
    expect(() => notice.give(1)).not.toThrow();
  });
});
