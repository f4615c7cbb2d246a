import { Command, InvalidArgumentError, Option } from "commander";
import { TOPICS } from "./measure/measurements.ts";
import type { Pace } from "./measure/measurement.ts";
import { allSubjects, ordinarySubjects } from "./subjects/subjects.ts";
import type { Subject } from "./subjects/subject.ts";

/** What the command line asks for. */
export type Flags = Readonly<{
  topics: readonly string[];
  subjects: readonly Subject[];
  rounds: number;
  pace: Pace;
  json: string | undefined;
}>;

const ORDINARY = { rounds: 5, pace: { warmUpMs: 800, warmMs: 300, windowMs: 700, settleMs: 400 } };
const QUICK = { rounds: 2, pace: { warmUpMs: 300, warmMs: 150, windowMs: 300, settleMs: 200 } };

/** Reads the command line. Ends the process with 0 after --help, with 2 after a mistake. */
export function parseFlags(args: readonly string[]): Flags {
  const command = new Command("bench")
    .description("Measures edgesocks beside other proxies; all traffic stays on 127.0.0.1.")
    .option("--quick", "about a minute in all, for a first impression", false)
    .addOption(
      listOption("--only <topics>", TOPICS, "measure nothing but these").default(TOPICS, "all"),
    )
    .addOption(
      listOption(
        "--peers <names>",
        allSubjects.map(({ name }) => name),
        "measure nobody but these",
      ).default(
        ordinarySubjects.map(({ name }) => name),
        "all without *",
      ),
    )
    .option("--rounds <number>", `rounds (default: ${ORDINARY.rounds})`, parseRounds)
    .option("--json <file>", "write all samples to this file, too")
    .allowExcessArguments(false)
    .addHelpText("after", `\n${formatSubjects()}\n`)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
  const options = command.parse(args, { from: "user" }).opts<{
    quick: boolean;
    only: readonly string[];
    peers: readonly string[];
    rounds?: number;
    json?: string;
  }>();
  const { rounds, pace } = options.quick ? QUICK : ORDINARY;
  return {
    topics: options.only,
    subjects: allSubjects.filter(({ name }) => options.peers.includes(name)),
    rounds: options.rounds ?? rounds,
    pace,
    json: options.json,
  };
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
  const isOrdinary = (subject: Subject) => ordinarySubjects.includes(subject);
  const width = Math.max(...allSubjects.map(({ name }) => name.length));
  return [
    "Peers:",
    ...allSubjects.map(
      (subject) =>
        `  ${subject.name.padEnd(width)}  ${subject.about}${isOrdinary(subject) ? "" : " *"}`,
    ),
    "  * only if --peers names it",
    "",
    "On Debian and its relatives this brings all of them, and a C compiler for the load generator:",
    "  apt-get install gcc libc6-dev openssh-server openssl v2ray microsocks",
    "A peer whose program is missing is left out. No service of theirs needs to run.",
  ].join("\n");
}
