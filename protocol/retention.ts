/** What a session keeps, to send it again when a carrier is lost. */
export interface Retention {
  /** Bytes that all carriers may keep; 0 when the session cannot be resumed. */
  readonly retainedLimit: number;
  /** Bytes that all of them keep now. */
  readonly retained: number;
  readonly maxCarriers: number;
}

/** Of what may be kept, payloads in flight have this share: the rest is for other frames. */
const FLIGHT_SHARE = 0.5;
/** And this share of it is divided among the carriers, however busy the others are. */
const OWN_SHARE = 0.25;

/**
 * Payload bytes that a carrier with so many `inFlight` may add, as they are kept as well. A carrier
 * that is alone in being busy may use nearly all; one that comes later is sure of its part.
 */
export function roomToKeep(retention: Retention, inFlight: number): number {
  const { retainedLimit, retained, maxCarriers } = retention;
  if (retainedLimit === 0) return Infinity;
  const shared = retainedLimit * FLIGHT_SHARE - retained;
  const own = (retainedLimit * OWN_SHARE) / maxCarriers - inFlight;
  return Math.floor(Math.max(shared, own));
}
