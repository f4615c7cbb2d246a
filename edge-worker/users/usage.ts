/** What a user has used up in the windows that its limits speak of. */
export interface Usage {
  /** Days since the Unix epoch, UTC. */
  readonly day: number;
  readonly bytes: number;
  /** Minutes since the Unix epoch. */
  readonly minute: number;
  readonly opens: number;
}

/** Where usage outlives the process or object that counts it. */
export interface UsageStore {
  /** What was saved of a user last; undefined for one that it does not know. */
  load(user: string): Usage | undefined;
  /** Never throws: what cannot be saved is told in a log. */
  save(user: string, usage: Usage): void;
}

/** For an edge without a place to keep it: every start counts from nothing. */
export const forgetfulStore: UsageStore = { load: () => undefined, save: () => {} };
