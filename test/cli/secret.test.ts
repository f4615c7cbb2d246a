import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createAdmission, readSecret } from "../../cli/secret.ts";
import { Keyring } from "../../protocol/admission.ts";
import { ConfigError } from "../../protocol/errors.ts";
import { tempFolder } from "../support/temp-folder.ts";

const inFile = (text: string): string => join(tempFolder({ secret: text }), "secret");
const read = (secret: string | undefined, file?: string): string =>
  readSecret({ secret, "secret-file": file });

describe("readSecret()", () => {
  it("gives the secret that was set", () => {
    expect(read("a secret long enough")).toBe("a secret long enough");
  });

  it.each(["first line", "first line\n", "first line\r\n", "first line\nsecond line\n"])(
    "gives the first line of the file, of %j",
    (text) => expect(read(undefined, inFile(text))).toBe("first line"),
  );

  it("prefers the file, as whoever names one means it", () => {
    expect(read("from the environment", inFile("from the file"))).toBe("from the file");
  });

  it.each([
    ["nothing is set", undefined, undefined],
    ["the secret is empty", "", undefined],
    ["the file is empty", undefined, ""],
    ["the file's first line is empty", undefined, "\nsecond line\n"],
  ])("names the ways to give one when %s", (_when, secret, text) => {
    const reading = () => read(secret, text === undefined ? undefined : inFile(text));
    expect(reading).toThrow(ConfigError);
    expect(reading).toThrow(/EDGESOCKS_SECRET, --secret-file or .*edgesocks\.toml/);
  });

  it("names a file that it cannot read", () => {
    const reading = () => read(undefined, join(tempFolder(), "missing"));
    expect(reading).toThrow(ConfigError);
    expect(reading).toThrow(/^Cannot read .*missing: ENOENT/);
  });
});

describe("createAdmission()", () => {
  it("makes a key that admits its own tokens", async () => {
    const place = { host: "h", path: "/" };
    const token = await createAdmission("test", "a secret long enough").issue(place, 0);
    const key = { id: "test", secret: "a secret long enough", expiresAt: Infinity };
    const admitted = await new Keyring([key]).check(token, place, 0);
    expect(admitted).toMatchObject({ keyId: "test" });
  });

  it("refuses a short secret in one line that does not show it", () => {
    expect(() => createAdmission("test", "hunter2")).toThrow(ConfigError);
    expect(() => createAdmission("test", "hunter2")).toThrow(/^Cannot use the secret: .* 16 /);
    expect(() => createAdmission("test", "hunter2")).not.toThrow(/hunter2/);
  });
});
