import type { Results } from "./results.ts";
import { formatNumber, timesBetter } from "./statistics.ts";

/** One line of the table of targets. */
export type Verdict = Readonly<{
  what: string;
  who: string;
  target: string;
  measured: string;
  /** undefined: this run has not measured it. */
  isMet: boolean | undefined;
}>;

type Target = Readonly<{
  what: string;
  who: string;
  key: string;
  better: "more" | "less";
  /** What a median has to reach, in the unit of the row. */
  bound?: Readonly<{ value: number; unit: string }>;
  /** How many times better than somebody else's median it has to be. */
  than?: Readonly<{ peer: string; times: number }>;
}>;

type Medians = Results["results"];

const NODE = "edgesocks-node";
const WORKERD = "edgesocks-workerd";
const BOTH = [NODE, WORKERD];
const SPEEDS = ["download", "upload", "download32"] as const;
const SPEED_NAMES = {
  download: "one download",
  upload: "one upload",
  download32: "32 downloads",
} as const;

/** What this project has set out to reach. */
export const targets: readonly Target[] = [
  ...SPEEDS.flatMap((key) => [
    ...faster(key, NODE, [
      ["ssh", 1.3],
      ["v2ray-ws", 2.5],
    ]),
    ...faster(key, WORKERD, [
      ["ssh", 1.1],
      ["v2ray-ws", 2.5],
    ]),
  ]),
  ...SPEEDS.flatMap((key) =>
    [`${NODE}-tls`, `${WORKERD}-tls`].flatMap((who) =>
      faster(key, who, [
        ["ssh", 1],
        ["v2ray-ws-tls", 2],
      ]),
    ),
  ),
  // 2 s where v2ray takes 5.4: the ratio holds on slower machines, too.
  ...BOTH.flatMap((who) => [
    atMost("CPU of agent and edge per GB", who, "cpu-total", 2, "s"),
    better("CPU of agent and edge per GB", who, "cpu-total", "less", ["v2ray-ws", 0.37]),
  ]),
  better("new sessions per second", NODE, "sessions", "more", ["ssh", 1]),
  better("new sessions per second", WORKERD, "sessions", "more", ["ssh", 0.6]),
  better("new sessions per second", WORKERD, "sessions", "more", ["v2ray-ws-mux", 1]),
  ...BOTH.map((who) =>
    better("64-byte ping beside 4 downloads", who, "ping-median", "less", ["ssh", 1]),
  ),
  ...BOTH.flatMap((who) => [
    atMost("an idle session in the agent", who, "idle-client", 16, "KiB"),
    atMost("an idle session in the edge", who, "idle-server", 16, "KiB"),
    atMost("growth of the agent by 200 readers that stand still", who, "still-client", 48, "MiB"),
    atMost("growth of the edge by 200 readers that stand still", who, "still-server", 48, "MiB"),
    // Unhindered, less what two measurements of the same thing may differ by.
    atLeast("downloads beside 200 readers that stand still", who, "still-kept", 90, "%"),
  ]),
  better("UDP of 1,200 bytes, datagrams per second", NODE, "udp-rate", "more", ["v2ray-ws", 1]),
  better("loss of these", NODE, "udp-loss", "less", ["v2ray-ws", 1]),
  ...BOTH.flatMap((who) => [
    atLeast("one download over 50 ms and 200 Mbit/s", who, "link50-download", 95, "% of the link"),
    atMost("ping under 4 downloads over that link", who, "link50-ping-median", 100, "ms"),
    atLeast("one download over 200 ms, 500 Mbit/s", who, "link200-download", 90, "% of the link"),
    atMost("SOCKS request to first byte, honest replies", who, "first-byte", 105, "ms"),
  ]),
  // A round trip of the new carrier and 50 ms. Where there is none left, two more make one: of TCP and
  // of the Upgrade request, as RFC 6455 section 4.1 has us wait for its answer. After an outage there is
  // the rest of a pause as well, a tenth of the outage at most.
  ...BOTH.flatMap((who) => [
    atMost("a download goes on when its carrier of several is lost", who, "loss-one", 100, "ms"),
    atMost("a download goes on when all carriers are lost", who, "loss-all", 200, "ms"),
    atMost("the same, once a network is back that was away for 1 s", who, "loss-outage", 300, "ms"),
  ]),
  ...BOTH.flatMap((who) =>
    (["download", "upload"] as const).map((key) =>
      better(
        `what resumption leaves of the speed of one ${key}`,
        who,
        `resumption-${key}`,
        "more",
        [`${who}-unresumed`, 0.95],
      ),
    ),
  ),
  atMost(
    "SOCKS request to first byte, adaptive open",
    "edgesocks-adaptive",
    "first-byte",
    55,
    "ms",
  ),
];

/** Holds a run against what this project has set out to reach. */
export function judgeTargets({ results }: Pick<Results, "results">): Verdict[] {
  return targets.map((target) => judge(target, results));
}

function judge(target: Target, medians: Medians): Verdict {
  const { what, who, key, better, bound, than } = target;
  const value = medians[who]?.[key]?.median;
  const other = than && medians[than.peer]?.[key]?.median;
  const sign = (direction: Target["better"]) => (direction === "more" ? "≥" : "≤");
  if (than !== undefined) {
    const isKnown = value !== undefined && other !== undefined;
    const times = better === "more" || than.times !== 1 ? `${than.times} × ` : "";
    return {
      what,
      who,
      target: `${sign(better)} ${times}${than.peer}`,
      measured: isKnown ? formatComparison(value, other, better) : "-",
      isMet: isKnown ? hasReached(value, other * than.times, better) : undefined,
    };
  }
  return {
    what,
    who,
    target: `${sign(better)} ${bound?.value} ${bound?.unit}`,
    measured: value === undefined ? "-" : `${formatNumber(value)} ${bound?.unit}`,
    isMet: value === undefined ? undefined : hasReached(value, bound?.value ?? Number.NaN, better),
  };
}

function hasReached(value: number, bound: number, better: Target["better"]): boolean {
  return better === "more" ? value >= bound : value <= bound;
}

function formatComparison(value: number, other: number, better: Target["better"]): string {
  const numbers = `${formatNumber(value)} to ${formatNumber(other)}`;
  const ratio = timesBetter(value, other, better);
  return better === "more" && Number.isFinite(ratio) ? `${formatNumber(ratio)} ×` : numbers;
}

function faster(
  key: keyof typeof SPEED_NAMES,
  who: string,
  peers: readonly (readonly [peer: string, times: number])[],
): Target[] {
  return peers.map((peer) => better(SPEED_NAMES[key], who, key, "more", peer));
}

function better(
  what: string,
  who: string,
  key: string,
  better: Target["better"],
  [peer, times]: readonly [peer: string, times: number],
): Target {
  return { what, who, key, better, than: { peer, times } };
}

function atMost(what: string, who: string, key: string, value: number, unit: string): Target {
  return { what, who, key, better: "less", bound: { value, unit } };
}

function atLeast(what: string, who: string, key: string, value: number, unit: string): Target {
  return { what, who, key, better: "more", bound: { value, unit } };
}
