/** Something to know beside the values. After a failure there is no value; a note leaves it as it is. */
export type Remark = Readonly<{
  kind: "failure" | "note";
  subject: string;
  round: number;
  what: string;
  text: string;
}>;

/** All values by subject, then by row, in the order of the rounds. */
export type Samples = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>;

/** Everything the rounds brought. */
export type Outcome = Readonly<{ samples: Samples; remarks: readonly Remark[] }>;

/** One line for a human. */
export function formatRemark({ kind, subject, round, what, text }: Remark): string {
  return `${kind === "failure" ? "Failed" : "Note"}: ${subject}, round ${round}, ${what}: ${text}`;
}
