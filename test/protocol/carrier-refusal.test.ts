import { describe, expect, it } from "vitest";
import { carrierRefusal } from "../../protocol/carrier-refusal.ts";

describe("carrierRefusal()", () => {
  it.each([200, 301, 400, 401, 403, 404])("takes %i for a refusal, and gives advice", (status) => {
    const { code, message } = carrierRefusal(status);
    expect(code).toBe("ERR_ADMISSION");
    expect(message).toMatch(new RegExp(`^it answered ${status} .*Check the URL`));
  });

  it.each([429, 500, 502, 503, 530])("takes %i for an edge that is out of reach", (status) => {
    expect(carrierRefusal(status).code).toBe("ERR_CARRIER_LOST");
  });
});
