/** What a promise comes to, its value or its error. Never rejects, so it may be awaited later. */
export function settled(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => error);
}
