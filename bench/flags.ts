import { Command, InvalidArgumentError, Option } from "commander";
import type { Pace } from "./measure/measurement.ts";
import { ORDINARY_TOPICS, QUICK_TOPICS, type Topic, TOPICS } from "./measure/topics.ts";
import { QUICK_PEERS, subjects } from "./subjects/subjects.ts";
import type { Subject } from "./subjects/subject.ts";

/** What the command line asks for. */
export type Flags = Readonly<{
  topics: readonly Topic[];
  subjects: readonly Subject[];
  rounds: number;
  pace: Pace;
  json: string | undefined;
  /** Writes docs/performance.md. */
  report: boolean;
  /** Results of an earlier run, to be reported instead of a new one. */
  from: string | undefined;
}>;

const NAMES: readonly string[] = subjects.map(({ name }) => name);

// A round of what --quick measures takes 23 s on two quiet cores, one of an ordinary run 70 s.
const FULL = {
  rounds: 5,
  pace: { warmUpMs: 2000, sessionsMs: 5000, warmMs: 300, windowMs: 700, settleMs: 400 },
};
const ORDINARY = {
  rounds: 3,
  pace: { warmUpMs: 1000, sessionsMs: 1500, warmMs: 200, windowMs: 400, settleMs: 200 },
};
const QUICK = {
  rounds: 3,
  pace: { warmUpMs: 400, sessionsMs: 500, warmMs: 150, windowMs: 300, settleMs: 200 },
};

/** Reads the command line. Ends the process with 0 after --help, with 2 after a mistake. */
export function parseFlags(args: readonly string[]): Flags {
  const command = new Command("bench")
    .description("Measures edgesocks beside other proxies; all traffic stays on 127.0.0.1.")
    .option("--quick", "about a minute in all: the core of it, beside ssh and v2ray", false)
    .option("--full", "everything in five rounds, links and growth, too; most of an hour", false)
    .addOption(listOption("--only <topics>", TOPICS, "measure nothing but these"))
    .addOption(listOption("--peers <names>", NAMES, "measure nobody but these"))
    .option(
      "--rounds <number>",
      `rounds (default: ${ORDINARY.rounds}; ${QUICK.rounds} with --quick, ${FULL.rounds} with --full)`,
      parseRounds,
    )
    .option("--json <file>", "write all samples to this file, too")
    .option("--report", "write docs/performance.md and its charts; implies --full", false)
    .option("--from <file>", "report what --json wrote earlier, and measure nothing")
    .allowExcessArguments(false)
    .addHelpText("after", `\n${formatSubjects()}\n`)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
  const options = command.parse(args, { from: "user" }).opts<{
    quick: boolean;
    full: boolean;
    report: boolean;
    only?: readonly Topic[];
    peers?: readonly string[];
    rounds?: number;
    json?: string;
    from?: string;
  }>();
  const isFull = options.full || options.report;
  const { rounds, pace } = options.quick ? QUICK : isFull ? FULL : ORDINARY;
  const peers = options.peers ?? (options.quick ? QUICK_PEERS : NAMES);
  return {
    topics: options.only ?? topicsOf(options.quick, isFull),
    subjects: subjects.filter(({ name }) => peers.includes(name)),
    rounds: options.rounds ?? rounds,
    pace,
    json: options.json,
    report: options.report,
    from: options.from,
  };
}

function topicsOf(isQuick: boolean, isFull: boolean): readonly Topic[] {
  if (isFull) return TOPICS;
  return isQuick ? QUICK_TOPICS : ORDINARY_TOPICS;
}

function listOption(flag: string, known: readonly string[], help: string): Option {
  const parse = (text: string): string[] => {
    const names = text.split(",");
    const stranger = names.find((name) => !known.includes(name));
    if (stranger === undefined) return names;
    throw new InvalidArgumentError(`"${stranger}" is none of ${known.join(", ")}.`);
  };
  return new Option(flag, help).argParser(parse);
}

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= 100) return rounds;
  throw new InvalidArgumentError("It must be a whole number from 1 to 100.");
}

function formatSubjects(): string {
  const width = Math.max(...NAMES.map((name) => name.length));
  return [
    `Topics: ${TOPICS.join(", ")}`,
    `Those of an ordinary run: ${ORDINARY_TOPICS.join(", ")}`,
    `Those of --quick: ${QUICK_TOPICS.join(", ")}`,
    "",
    "Peers:",
    ...subjects.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`),
    `Those of --quick: ${QUICK_PEERS.join(", ")}`,
    "",
    "On Debian and its relatives this brings all of them, and a C compiler for the load generator:",
    "  apt-get install gcc libc6-dev openssh-server openssl v2ray microsocks nginx-light",
    "A peer whose program is missing is left out. No service of theirs needs to run.",
  ].join("\n");
}
