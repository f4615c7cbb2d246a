import { describe, expect, it } from "vitest";
import type { TlsPair } from "../../../edge-worker/node/tls-files.ts";
import { TlsWatch } from "../../../edge-worker/node/tls-watch.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { recordedLog } from "../../support/log.ts";

const pairOf = (name: string): TlsPair => ({ cert: name, key: `${name}'s key`, expiresAt: 1e12 });

/** A watch over files that the test writes. */
function createWatch() {
  const clock = new FakeClock();
  const log = recordedLog();
  const applied: string[] = [];
  const files: { now: TlsPair | Error; reads: number } = { now: pairOf("first"), reads: 0 };
  const watch = new TlsWatch(pairOf("first"), {
    clock,
    log,
    load: async () => {
      files.reads++;
      if (files.now instanceof Error) throw files.now;
      return files.now;
    },
    apply: ({ cert }) => void applied.push(cert),
  });
  return { watch, clock, log, applied, files };
}

describe("TlsWatch", () => {
  it("takes a renewed pair within 10 s", async () => {
    const { watch, clock, applied, files, log } = createWatch();
    files.now = pairOf("second");
    await clock.advance(10_000);
    expect(applied).toEqual(["second"]);
    expect(watch.current.cert).toBe("second");
    expect(log.lines).toEqual([expect.stringMatching(/^info The certificate was renewed/)]);
  });

  it("takes one after the other", async () => {
    const { clock, applied, files } = createWatch();
    for (const name of ["second", "third"]) {
      files.now = pairOf(name);
      await clock.advance(10_000);
    }
    expect(applied).toEqual(["second", "third"]);
  });

  it("takes a new key of the same certificate", async () => {
    const { clock, applied, files } = createWatch();
    files.now = { ...pairOf("first"), key: "another" };
    await clock.advance(10_000);
    expect(applied).toEqual(["first"]);
  });

  it("does nothing while nothing changes", async () => {
    const { clock, applied, files, log } = createWatch();
    await clock.advance(10_000);
    await clock.advance(10_000);
    expect(files.reads).toBe(2);
    expect(applied).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  it("keeps the old pair when the new one is broken, and says so once", async () => {
    const { watch, clock, applied, files, log } = createWatch();
    files.now = new Error("Cannot use key.pem for tls-key: nonsense");
    for (let i = 0; i < 3; i++) await clock.advance(10_000);
    expect(applied).toEqual([]);
    expect(watch.current.cert).toBe("first");
    expect(log.lines).toEqual([
      "warn Cannot use key.pem for tls-key: nonsense. The old certificate stays in use",
    ]);
    files.now = pairOf("second");
    await clock.advance(10_000);
    expect(applied).toEqual(["second"]);
  });

  it("says so again when it breaks again", async () => {
    const { clock, files, log } = createWatch();
    for (const now of [new Error("broken"), pairOf("first"), new Error("broken")]) {
      files.now = now;
      await clock.advance(10_000);
    }
    expect(log.lines).toHaveLength(2);
  });
});

describe("TlsWatch.check()", () => {
  it("looks at once, and once for all who ask at the same time", async () => {
    const { watch, applied, files } = createWatch();
    files.now = pairOf("second");
    await Promise.all([watch.check(), watch.check()]);
    expect(files.reads).toBe(1);
    expect(applied).toEqual(["second"]);
  });
});

describe("TlsWatch.stop()", () => {
  it("ends the timer, and leaves out what is still being read", async () => {
    const { watch, clock, applied, files } = createWatch();
    files.now = pairOf("second");
    const checked = watch.check();
    watch.stop();
    await checked;
    await clock.advance(60_000);
    expect(applied).toEqual([]);
    expect(files.reads).toBe(1);
  });
});
