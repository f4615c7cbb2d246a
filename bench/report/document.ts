import type { Figure } from "./figures.ts";
import { formatMarkdownTable } from "./figures.ts";
import { formatRemark } from "./outcome.ts";
import type { Results } from "./results.ts";
import { judgeTargets, type Verdict } from "./targets.ts";

/** What a document is made of. */
export type Parts = Readonly<{
  results: Results;
  comparisons: readonly Figure[];
  growths: readonly Figure[];
}>;

/** With more than this for each core before a run, something else takes part in it. */
const QUIET_LOAD = 0.5;

/** The report on a run, in Markdown. Its charts are to lie in a folder beside it. */
export function formatDocument({ results, comparisons, growths }: Parts): string {
  return [
    "# Performance",
    "<!-- Written by `npm run bench -- --report`: change bench/report/, not this file. -->",
    "What edgesocks reaches, beside others who do the same work, in one run on one machine. " +
      "All traffic was on 127.0.0.1, and everything shared the machine's cores: load generator, " +
      "target and both ends of the tunnel. So the ratios say more than the numbers. " +
      "`npm run bench` does the same on your machine.",
    ...describeRun(results),
    "## Targets",
    ...describeTargets(judgeTargets(results)),
    "## Side by side",
    "Medians of all rounds, and in brackets the smallest and the largest value.",
    ...comparisons.flatMap(formatFigure),
    ...(growths.length > 0 ? ["## How cost grows"] : []),
    ...growths.flatMap(formatFigure),
    ...describeRemarks(results),
    "## How it is measured",
    METHOD,
    "",
  ].join("\n\n");
}

function describeRun({ machine, rounds, pace }: Results): string[] {
  const { date, cpu, cores, memoryGiB, kernel, loadBefore, versions } = machine;
  const times =
    `${rounds} ${rounds === 1 ? "round" : "rounds"}; ${pace.warmMs} ms of load before each window of ${pace.windowMs} ms, ` +
    `and ${2 * pace.warmUpMs + pace.sessionsMs} ms after each start`;
  return [
    "## The run",
    ...(loadBefore > cores * QUIET_LOAD
      ? [
          "**The machine was not quiet**: before the run there were " +
            `${loadBefore} processes that wanted to run on ${cores} cores. ` +
            "Take nothing below for more than an example of what the bench shows.",
        ]
      : []),
    formatMarkdownTable(
      ["", ""],
      [
        ["date", date.slice(0, 10)],
        ["machine", `${cores} cores (${cpu}), ${memoryGiB} GiB, Linux ${kernel}`],
        ["load before", `${loadBefore} processes`],
        ["rounds", times],
        ...Object.entries(versions),
      ],
    ),
  ];
}

function describeTargets(verdicts: readonly Verdict[]): string[] {
  const count = (isMet: boolean) => verdicts.filter((verdict) => verdict.isMet === isMet).length;
  const known = count(true) + count(false);
  const words = new Map([
    [true, "met"],
    [false, "**missed**"],
    [undefined, "not measured"],
  ]);
  return [
    `${count(true)} of ${known} targets that were measured are met, ${count(false)} are missed; ` +
      `${verdicts.length - known} were not measured. A ratio above 1 is better than the peer.`,
    formatMarkdownTable(
      ["what", "who", "target", "measured", ""],
      verdicts.map(({ what, who, target, measured, isMet }) => [
        what,
        who,
        target,
        measured,
        words.get(isMet) ?? "",
      ]),
    ),
  ];
}

function formatFigure({ file, title, table }: Figure): string[] {
  return [`### ${title}`, `![${title}](charts/${file})`, table];
}

function describeRemarks({ remarks }: Results): string[] {
  if (remarks.length === 0) return [];
  const lines = remarks.map((remark) => `- ${formatRemark(remark)}`);
  return ["## What went wrong", lines.join("\n")];
}

const METHOD = `- Every subject starts with fresh processes in every round, and the rounds alternate between subjects.
- The load generator is a C program in [bench/load](../bench/load). The row "none" is it alone, without a
  proxy: what a subject reaches must stay well below that, or the generator is what was measured.
- Uploads are counted where they arrive. Every eighth read is compared with what was sent.
- CPU time and memory are those of whole process trees, from Linux. Memory is the proportional set size.
- Peers run with configurations that the bench writes: ssh with its own sshd, v2ray with VLESS over
  WebSocket (mux at its default of 8 sessions a WebSocket). TLS has a chain of an authority, an intermediate and a certificate,
  made for the run. nginx stands in front of workerd.
- All of it is on one machine, and there an agent masks with zeroes over \`ws:\`, as it does over \`wss:\` everywhere. Over
  \`ws:\` to another machine masks are random, which costs an upload about a tenth.
- Before speed is measured, every subject has had downloads and uploads, by one stream and by four, and then short sessions
  for most of the time given above: proxies run for days, and a compiler at run time takes some 20,000 sessions to have seen enough.
- A link is a relay in user space, between the two ends of a tunnel. It shares a rate among all connections of a
  direction, delays by half the round trip each way, and has a buffer of one second. The handshake of TCP costs a
  connection one round trip. It does not lose packets: when its buffer is full it stops reading. Its rows of "none" show what it lets through.
- Losses are resets of TCP connections at that relay, without a word before. What counts is when the client's program
  gets a byte again: after the reset, or after the return of the network, which refuses connections until then.
- Resumption is switched off at the edge (\`resume-window = 0\`) to see what it costs. Each value is the median of five windows.
- An idle session is one of 1,000, in processes that have served 2,000 short ones before. What processes take that have only
  just started is below "How cost grows".
- UDP "there and back" keeps 64 datagrams on their way, and counts one as lost after 200 ms. "Flat out" sends as
  fast as a socket takes them, and the target counts.
- Readers that stand still have opened a stream whose source sends without end, and never read from it. The processes have
  served downloads before. The four beside them are the median of six windows, and so are the four without: three before, three after.
- A session is: connect to the proxy, SOCKS5 handshake, 64 bytes there and back, close.`;
