import type { Workshop } from "./workshop.ts";

/** Paths of PEM files. */
type Certificate = Readonly<{ certificateFile: string; keyFile: string }>;

const DAYS = ["-days", "2"];
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/**
 * Makes a chain as on the real internet: an authority that clients know, an intermediate that only
 * the server's file has, and a certificate for localhost and 127.0.0.1.
 */
export function makeCertificates(
  workshop: Workshop,
): Readonly<{ authority: Certificate; server: Certificate }> {
  const authority = pathsOf(workshop, "authority");
  workshop.run("openssl", [
    "req",
    "-x509",
    ...subject("Benchmark", authority.keyFile, authority.certificateFile),
    ...NEW_KEY,
    ...DAYS,
  ]);
  const intermediate = issue(workshop, authority, {
    name: "intermediate",
    extensions: "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign",
  });
  const leaf = issue(workshop, intermediate, {
    name: "localhost",
    extensions: "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth",
  });
  const chain = [leaf, intermediate].map(({ certificateFile }) => workshop.read(certificateFile));
  const certificateFile = workshop.write("chain.pem", chain.join(""));
  return { authority, server: { certificateFile, keyFile: leaf.keyFile } };
}

function issue(
  workshop: Workshop,
  issuer: Certificate,
  { name, extensions }: Readonly<{ name: string; extensions: string }>,
): Certificate {
  const { certificateFile, keyFile } = pathsOf(workshop, name);
  const request = workshop.path(`${name}.csr`);
  const extensionFile = workshop.write(`${name}.ext`, `${extensions}\n`);
  workshop.run("openssl", ["req", ...subject(name, keyFile, request), ...NEW_KEY]);
  const signing = ["-CA", issuer.certificateFile, "-CAkey", issuer.keyFile, "-CAcreateserial"];
  const files = ["-in", request, "-extfile", extensionFile, "-out", certificateFile];
  workshop.run("openssl", ["x509", "-req", ...files, ...signing, ...DAYS]);
  return { certificateFile, keyFile };
}

function subject(name: string, keyFile: string, output: string): string[] {
  return ["-subj", `/CN=${name}`, "-keyout", keyFile, "-out", output];
}

function pathsOf(workshop: Workshop, name: string): Certificate {
  return {
    certificateFile: workshop.path(`${name}.pem`),
    keyFile: workshop.path(`${name}-key.pem`),
  };
}
