import type { Workshop } from "./workshop.ts";

/** Paths of PEM files. */
type Certificate = Readonly<{ certificateFile: string; keyFile: string }>;

const DAYS = ["-days", "2"];
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes a certificate authority and a certificate of it for localhost and 127.0.0.1. */
export function makeCertificates(
  workshop: Workshop,
): Readonly<{ authority: Certificate; server: Certificate }> {
  const authority = pathsOf(workshop, "authority");
  const server = pathsOf(workshop, "server");
  const request = workshop.path("server.csr");
  const extensions = workshop.write(
    "server.ext",
    "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n",
  );
  const openssl = (command: string, flags: Readonly<Record<string, string>>, ...rest: string[]) =>
    workshop.run("openssl", [command, ...Object.entries(flags).flat(), ...rest]);
  openssl(
    "req",
    { "-subj": "/CN=Benchmark", "-keyout": authority.keyFile, "-out": authority.certificateFile },
    ...NEW_KEY,
    "-x509",
    ...DAYS,
  );
  openssl(
    "req",
    { "-subj": "/CN=localhost", "-keyout": server.keyFile, "-out": request },
    ...NEW_KEY,
  );
  openssl(
    "x509",
    {
      "-in": request,
      "-extfile": extensions,
      "-CA": authority.certificateFile,
      "-CAkey": authority.keyFile,
      "-out": server.certificateFile,
    },
    "-req",
    "-CAcreateserial",
    ...DAYS,
  );
  return { authority, server };
}

function pathsOf(workshop: Workshop, name: string): Certificate {
  return {
    certificateFile: workshop.path(`${name}.pem`),
    keyFile: workshop.path(`${name}-key.pem`),
  };
}
