/** A setting of one run: CI has less time than the full form takes. */
function numberOf(variable: string, otherwise: number): number {
  return Number(process.env[variable] ?? otherwise);
}

export const seed = numberOf("CHAOS_SEED", Date.now() % 1_000_000);
/** All streams of the transfer together, up and down. */
export const megabytes = numberOf("CHAOS_MEGABYTES", 1000);
/** Losses during the transfer. */
export const losses = numberOf("CHAOS_LOSSES", 50);
/** Losses while a real program works. */
export const programLosses = numberOf("CHAOS_PROGRAM_LOSSES", 10);
/** Losses before memory is looked at. */
export const memoryLosses = numberOf("CHAOS_MEMORY_LOSSES", 200);
/** Random schedules of losses, played on a clock of the test. */
export const schedules = numberOf("CHAOS_SCHEDULES", 1000);
/** How long an edge stands still. */
export const stopSeconds = numberOf("CHAOS_STOP_S", 20);

export const MEGABYTE = 1_048_576;
