import { CarrierError } from "./errors.ts";

/** An edge tells nobody why it refuses, so its agent can only say what may be wrong. */
const ADVICE = "Check the URL, the secret and key id on both sides, and this machine's clock";

/**
 * What an answer other than 101 says: an edge tells a stranger "not found"; what is out of order or
 * overloaded may soon be better.
 */
export function carrierRefusal(status: number): CarrierError {
  const text = `it answered ${status} instead of a WebSocket`;
  return status === 429 || status >= 500
    ? new CarrierError("ERR_CARRIER_LOST", text)
    : new CarrierError("ERR_ADMISSION", `${text}. ${ADVICE}`);
}
