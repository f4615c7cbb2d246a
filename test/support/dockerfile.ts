/** One instruction of a Dockerfile, its lines joined. */
export interface Instruction {
  readonly keyword: string;
  readonly text: string;
}

export interface Stage {
  readonly name: string;
  /** An image, or the name of an earlier stage. */
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

/** Takes a Dockerfile apart: comments away, continued lines joined, stages by FROM. */
export function parseDockerfile(text: string): readonly Stage[] {
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  const lines = text
    .replaceAll(/^\s*#.*\n/gm, "")
    .replaceAll(/\\\n/g, " ")
    .split("\n");
  for (const line of lines.filter((one) => one.trim() !== "")) {
    const [, keyword = "", rest = ""] = /^([A-Z]+) +(.+)$/.exec(line.trim()) ?? [];
    if (keyword === "FROM") {
      const [, base = "", name = ""] = /^(\S+)(?: AS (\S+))?$/.exec(rest) ?? [];
      stages.push({ name, base, instructions: [] });
    } else stages.at(-1)?.instructions.push({ keyword, text: rest });
  }
  return stages;
}

/** The instructions of a stage with those of the stages that it is from before them. */
export function wholeStage(stages: readonly Stage[], name: string): readonly Instruction[] {
  const stage = stages.find((one) => one.name === name);
  if (!stage) return [];
  return [...wholeStage(stages, stage.base), ...stage.instructions];
}

/** The variables that ENV sets. */
export function environmentOf(instructions: readonly Instruction[]): Record<string, string> {
  const pairs = instructions
    .filter(({ keyword }) => keyword === "ENV")
    .flatMap(({ text }) => text.split(/\s+/).map((pair) => pair.split("=") as [string, string]));
  return Object.fromEntries(pairs);
}

/** The last instruction of a kind in its JSON form, such as CMD ["edge"]. */
export function wordsOf(instructions: readonly Instruction[], kind: string): string[] {
  const last = instructions.findLast(({ keyword }) => keyword === kind);
  return JSON.parse(/\[.*\]$/.exec(last?.text ?? "")?.[0] ?? "[]") as string[];
}

/** Whether a file at the top of the build's context is left out by a .dockerignore. */
export function isIgnored(ignore: string, name: string): boolean {
  const rules = ignore.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return rules.reduce(
    (isOut, rule) => (matches(rule.replace(/^!/, ""), name) ? !rule.startsWith("!") : isOut),
    false,
  );
}

function matches(pattern: string, name: string): boolean {
  const source = pattern.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*");
  return new RegExp(`^${source}$`).test(name);
}
