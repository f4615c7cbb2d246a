/** What a client sends that is no handshake, and what must become of it. */
export interface MalformedHandshake {
  readonly what: string;
  /** One character for each byte. */
  readonly sent: string;
  /** All that comes back, in hex. */
  readonly back: string;
  readonly end: "FIN" | "RST";
  /** Whether the client half-closes behind what it sent. */
  readonly isCut: boolean;
  /** Code or reason under which it is counted. */
  readonly counted: "ERR_HANDSHAKE" | "ERR_HANDSHAKE_EOF" | "command-unsupported";
}

type Row = readonly [what: string, sent: string, back?: string];

/** Bytes from spaced hex and 'quoted text'. */
function octets(text: string): string {
  return text.replaceAll(/'([^']*)'|([\da-f]{2})|\s+/g, (_all, quoted?: string, pair?: string) =>
    pair === undefined ? (quoted ?? "") : String.fromCharCode(Number.parseInt(pair, 16)),
  );
}

const toHex = (text: string): string => Buffer.from(text, "latin1").toString("hex");
const length = (text: string): string => text.length.toString(16).padStart(2, "0");

function turnedAway([what, sent, back = ""]: Row): MalformedHandshake {
  const bytes = back.replaceAll(" ", "");
  return { what, sent, back: bytes, end: "FIN", isCut: false, counted: "ERR_HANDSHAKE" };
}

function inOctets([what, sent, back = ""]: Row): MalformedHandshake {
  return turnedAway([what, octets(sent), back]);
}

function cut(row: Row): MalformedHandshake {
  return { ...inOctets(row), isCut: true, counted: "ERR_HANDSHAKE_EOF" };
}

function unknownCommand(row: Row): MalformedHandshake {
  return { ...inOctets(row), counted: "command-unsupported" };
}

/** SOCKS5: a greeting without users, and a failure behind the answer to it. */
const GREETING = "05 01 00";
const failure5 = (rep: string): string => `05 00  05 ${rep} 00 01 00000000 0000`;
const LOCAL_5 = "01 7f000001 0050";
/** SOCKS4: a failure, and where a name follows. */
const REJECTED = "00 5b 0000 00000000";
const LOCAL_4 = "0050 7f000001 00";
const NAMED_4 = "0050 00000001 00";

const LONG_NAME = `${`${"a".repeat(63)}.`.repeat(3)}${"a".repeat(62)}`;

/** Names that no host can have. */
const NAMES: readonly Row[] = [
  ["a slash", "'a/b'"],
  ["a space", "'a b'"],
  ["an @", "'user@example.com'"],
  ["a percent", "'a%2eb'"],
  ["brackets", "'[example.com]'"],
  ["half of the brackets", "'[::1'"],
  ["octets that are not UTF-8", "'a' ff fe 'b'"],
  ["an empty label", "'a..b'"],
  ["a label of 64 octets", `'${"a".repeat(64)}.com'`],
  ["254 octets", `'${LONG_NAME}'`],
];

const socks5 = [
  ...(
    [
      ["SOCKS5 without methods", "05 00", "05 ff"],
      ["SOCKS5 with no acceptable method", "05 02 01 02", "05 ff"],
      ["a SOCKS5 request of version 4", `${GREETING} 04 01 00 ${LOCAL_5}`, "05 00"],
      ["a SOCKS5 request of version 0", `${GREETING} 00 01 00 ${LOCAL_5}`, "05 00"],
      ...["00", "02", "05", "ff"].map((type): Row => [
        `SOCKS5 ATYP 0x${type}`,
        `${GREETING} 05 01 00 ${type} 7f000001 0050`,
        failure5("08"),
      ]),
      ["a SOCKS5 name of no octets", `${GREETING} 05 01 00 03 00 0050`, failure5("04")],
      ...[["NUL", "'a' 00 'b'"] as const, ...NAMES].map(([what, name]): Row => [
        `a SOCKS5 name with ${what}`,
        `${GREETING} 05 01 00 03 ${length(octets(name))} ${name} 0050`,
        failure5("04"),
      ]),
    ] satisfies Row[]
  ).map(inOctets),
  ...["00", "04", "7f", "ff"].map((command) =>
    unknownCommand([
      `SOCKS5 CMD 0x${command}`,
      `${GREETING} 05 ${command} 00 ${LOCAL_5}`,
      failure5("07"),
    ]),
  ),
  cut(["SOCKS5 cut behind VER", "05"]),
  cut(["SOCKS5 cut behind NMETHODS", "05 02"]),
  cut(["SOCKS5 cut in METHODS", "05 02 00"]),
  cut(["SOCKS5 cut behind METHODS", GREETING, "05 00"]),
  cut(["SOCKS5 cut behind VER of the request", `${GREETING} 05`, "05 00"]),
  cut(["SOCKS5 cut behind CMD", `${GREETING} 05 01`, "05 00"]),
  cut(["SOCKS5 cut behind RSV", `${GREETING} 05 01 00`, "05 00"]),
  cut(["SOCKS5 cut behind ATYP", `${GREETING} 05 01 00 01`, "05 00"]),
  cut(["SOCKS5 cut in an IPv4 address", `${GREETING} 05 01 00 01 7f0000`, "05 00"]),
  cut(["SOCKS5 cut in an IPv6 address", `${GREETING} 05 01 00 04 00000000`, "05 00"]),
  cut(["SOCKS5 cut behind the length of a name", `${GREETING} 05 01 00 03 05`, "05 00"]),
  cut(["SOCKS5 cut in a name", `${GREETING} 05 01 00 03 05 'abc'`, "05 00"]),
  cut(["SOCKS5 cut before the port", `${GREETING} 05 01 00 01 7f000001`, "05 00"]),
  cut(["SOCKS5 cut in the port", `${GREETING} 05 01 00 01 7f000001 00`, "05 00"]),
];

const socks4 = [
  ...(
    [
      ["a SOCKS4 user id of 513 octets", `04 01 0050 7f000001 '${"u".repeat(513)}' 00`, REJECTED],
      ["a SOCKS4 name of 513 octets", `04 01 ${NAMED_4} '${"n".repeat(513)}' 00`, REJECTED],
      ["SOCKS4 CD 3", `04 03 ${LOCAL_4}`, REJECTED],
      ["a SOCKS4 name of no octets", `04 01 ${NAMED_4} 00`, REJECTED],
      ...NAMES.map(([what, name]): Row => [
        `a SOCKS4 name with ${what}`,
        `04 01 ${NAMED_4} ${name} 00`,
        REJECTED,
      ]),
    ] satisfies Row[]
  ).map(inOctets),
  unknownCommand(["SOCKS4 CD 0", `04 00 ${LOCAL_4}`, REJECTED]),
  unknownCommand(["SOCKS4 CD 9", `04 09 ${LOCAL_4}`, REJECTED]),
  cut(["SOCKS4 cut behind VN", "04"]),
  cut(["SOCKS4 cut behind CD", "04 01"]),
  cut(["SOCKS4 cut in the port", "04 01 00"]),
  cut(["SOCKS4 cut in the address", "04 01 0050 7f0000"]),
  cut(["SOCKS4 cut in the user id", "04 01 0050 7f000001 'user'"]),
  cut(["SOCKS4 cut before the name", `04 01 ${NAMED_4}`]),
  cut(["SOCKS4 cut in the name", `04 01 ${NAMED_4} 'example'`]),
];

/** An answer of HTTP, as hex; `more` are fields behind the usual ones. */
function answer(status: string, text: string, more = ""): string {
  const type = "Content-Type: text/plain; charset=utf-8";
  const fields = `${type}\r\nContent-Length: ${text.length + 1}\r\nConnection: close\r\n${more}`;
  return toHex(`HTTP/1.1 ${status}\r\n${fields}\r\n${text}\n`);
}

const refused = (why: string): string =>
  answer("400 Bad Request", `Cannot take the request: ${why}`);
const NOT_A_TARGET = refused("its target is not a host and a port");
const NOT_A_PROXY_REQUEST = refused(
  "this is a proxy, it takes CONNECT, and other methods with an absolute http:// URL",
);
const NOT_HTTP = answer(
  "501 Not Implemented",
  "Cannot fetch any URL but http:// ones: use CONNECT for the rest",
);
const TOO_LARGE = answer(
  "431 Request Header Fields Too Large",
  "Cannot take the request: its header is too large",
);

const get = (target: string, fields = ""): string =>
  `GET ${target} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
const connect = (target: string, fields = ""): string =>
  `CONNECT ${target} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
const URL_OF_NOBODY = "http://127.0.0.1:1/";

const http = (
  [
    ["an HTTP method in lower case", `get ${URL_OF_NOBODY} HTTP/1.1\r\nHost: x\r\n\r\n`],
    [
      "an HTTP method in mixed case",
      `Get ${URL_OF_NOBODY} HTTP/1.1\r\nHost: x\r\n\r\n`,
      refused("Invalid method encountered"),
    ],
    ["CONNECT without a port", connect("example.com"), NOT_A_TARGET],
    ["CONNECT with an empty port", connect("example.com:"), NOT_A_TARGET],
    ["CONNECT to port 0", connect("example.com:0"), NOT_A_TARGET],
    ["CONNECT to port 65536", connect("example.com:65536"), NOT_A_TARGET],
    ["CONNECT with a path", connect("example.com:80/path"), NOT_A_TARGET],
    ["CONNECT with a user", connect("user@example.com:80"), NOT_A_TARGET],
    ["GET in origin-form", get("/index.html"), NOT_A_PROXY_REQUEST],
    ["OPTIONS in asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", NOT_A_PROXY_REQUEST],
    ["GET of an ftp URL", get("ftp://127.0.0.1/"), NOT_HTTP],
    ["GET of an https URL", get("https://127.0.0.1/"), NOT_HTTP],
    ["GET of a URL without a host", get("http:///"), NOT_A_TARGET],
    ["GET of a URL with a user", get("http://user@127.0.0.1:1/"), NOT_A_TARGET],
    [
      "an HTTP version of 3.7",
      `GET ${URL_OF_NOBODY} HTTP/3.7\r\nHost: x\r\n\r\n`,
      refused("Invalid HTTP version"),
    ],
    [
      "an HTTP header field without a colon",
      get(URL_OF_NOBODY, "nothing\r\n"),
      refused("Invalid header token"),
    ],
    [
      "an HTTP header that is too large",
      get(URL_OF_NOBODY, `X: ${"x".repeat(20_000)}\r\n`),
      TOO_LARGE,
    ],
    [
      "NUL in an HTTP header field",
      get(URL_OF_NOBODY, "X: a\0b\r\n"),
      refused("Invalid header value char"),
    ],
    [
      "two Content-Length",
      get(URL_OF_NOBODY, "Content-Length: 1\r\nContent-Length: 2\r\n"),
      refused("Duplicate Content-Length"),
    ],
    [
      "a Content-Length that is no number",
      get(URL_OF_NOBODY, "Content-Length: one\r\n"),
      refused("Invalid character in Content-Length"),
    ],
  ] satisfies Row[]
).map(turnedAway);

const nothing = [
  ...["00", "01", "02", "03", "06", "16", "40", "5b", "7f", "80", "ff"].map((first) =>
    inOctets([`a first byte of 0x${first}`, first]),
  ),
  inOctets(["a ClientHello of TLS", `16 0301 0005 01 000001 00`]),
  cut(["a client that leaves at once", ""]),
];

/** For an agent without users. */
export const malformedHandshakes: readonly MalformedHandshake[] = [
  ...socks5,
  ...socks4,
  ...http,
  ...nothing,
];

const GREETING_WITH_USERS = "05 01 02";
const WRONG_5 = "05 02  01 01";
const basic = (text: string): string => `Proxy-Authorization: Basic ${text}\r\n`;
const wrong = answer(
  "407 Proxy Authentication Required",
  "Cannot authenticate: wrong user name or password",
  'Proxy-Authenticate: Basic realm="edgesocks"\r\n',
);
const missing = answer(
  "407 Proxy Authentication Required",
  "Cannot authenticate: this port wants a user name and password",
  'Proxy-Authenticate: Basic realm="edgesocks"\r\n',
);

/** For an agent that wants the user "alice" with the password "secret". */
export const malformedLogins: readonly MalformedHandshake[] = [
  inOctets(["SOCKS5 without the method of users", GREETING, "05 ff"]),
  inOctets(["RFC 1929 of version 5", `${GREETING_WITH_USERS} 05 05 'alice' 06 'secret'`, "05 02"]),
  inOctets(["RFC 1929 with ULEN 0", `${GREETING_WITH_USERS} 01 00 06 'secret'`, WRONG_5]),
  inOctets(["RFC 1929 with PLEN 0", `${GREETING_WITH_USERS} 01 05 'alice' 00`, WRONG_5]),
  inOctets(["a wrong name", `${GREETING_WITH_USERS} 01 05 'clara' 06 'secret'`, WRONG_5]),
  inOctets(["a wrong password", `${GREETING_WITH_USERS} 01 05 'alice' 06 'Secret'`, WRONG_5]),
  inOctets([
    "a longer password",
    `${GREETING_WITH_USERS} 01 05 'alice' 0c 'secretsecret'`,
    WRONG_5,
  ]),
  cut(["RFC 1929 cut behind VER", `${GREETING_WITH_USERS} 01`, "05 02"]),
  cut(["RFC 1929 cut behind ULEN", `${GREETING_WITH_USERS} 01 05`, "05 02"]),
  cut(["RFC 1929 cut in UNAME", `${GREETING_WITH_USERS} 01 05 'ali'`, "05 02"]),
  cut(["RFC 1929 cut behind UNAME", `${GREETING_WITH_USERS} 01 05 'alice'`, "05 02"]),
  cut(["RFC 1929 cut behind PLEN", `${GREETING_WITH_USERS} 01 05 'alice' 06`, "05 02"]),
  cut(["RFC 1929 cut in PASSWD", `${GREETING_WITH_USERS} 01 05 'alice' 06 'sec'`, "05 02"]),
  cut([
    "SOCKS5 cut behind a login",
    `${GREETING_WITH_USERS} 01 05 'alice' 06 'secret'`,
    "05 02  01 00",
  ]),
  inOctets(["SOCKS4 without a user id", `04 01 ${LOCAL_4}`, "00 5d 0000 00000000"]),
  inOctets([
    "SOCKS4 with a wrong password",
    "04 01 0050 7f000001 'alice:Secret' 00",
    "00 5d 0000 00000000",
  ]),
  inOctets(["SOCKS4 without a password", "04 01 0050 7f000001 'alice' 00", "00 5d 0000 00000000"]),
  turnedAway(["CONNECT without credentials", connect("127.0.0.1:1"), missing]),
  turnedAway(["CONNECT with base64 that is none", connect("127.0.0.1:1", basic("%%%")), wrong]),
  turnedAway(["CONNECT with base64 cut short", connect("127.0.0.1:1", basic("YWxpY2U6c")), wrong]),
  turnedAway([
    "CONNECT without a colon in base64",
    connect("127.0.0.1:1", basic(btoa("alice"))),
    wrong,
  ]),
  turnedAway([
    "CONNECT with a wrong password",
    connect("127.0.0.1:1", basic(btoa("alice:Secret"))),
    wrong,
  ]),
  turnedAway(["GET with a wrong password", get(URL_OF_NOBODY, basic(btoa("alice:Secret"))), wrong]),
];
