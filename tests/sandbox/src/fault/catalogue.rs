//! The list of faults and their parameters. The checks, the form on the page and the documentation use it.

use serde::Serialize;

/// A kind of fault.
#[derive(Debug, Serialize)]
pub struct Kind {
    /// Its name in an order.
    pub name: &'static str,
    /// A sentence that says what it does.
    pub about: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
}

/// A parameter of a fault. All have a default.
#[derive(Debug, Serialize)]
pub struct Parameter {
    /// Its name in an order.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// The values that it takes.
    #[serde(flatten)]
    pub wanted: Wanted,
}

/// The values that a parameter takes.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Wanted {
    /// A whole number within bounds.
    Integer {
        /// The minimum.
        min: u64,
        /// The maximum.
        max: u64,
        /// The default.
        default: u64,
    },
    /// Any text. Without a default, the fault chooses one that fits its other parameters.
    Text {
        /// The default.
        default: Option<&'static str>,
    },
    /// `true` or `false`.
    Flag {
        /// The default.
        default: bool,
    },
    /// One of several words.
    Choice {
        /// The words.
        choices: &'static [&'static str],
        /// The default.
        default: &'static str,
    },
    /// An object of header names and values. The value `null` removes a header.
    Headers,
}

/// Ten minutes: longer than any client should wait.
const LONGEST_MS: u64 = 600_000;

const fn ms(about: &'static str, default: u64) -> Parameter {
    Parameter { name: "ms", about, wanted: Wanted::Integer { min: 0, max: LONGEST_MS, default } }
}

const fn status(default: u64) -> Parameter {
    Parameter { name: "status", about: "the answer's status", wanted: Wanted::Integer { min: 100, max: 999, default } }
}

const fn store(about: &'static str, default: bool) -> Parameter {
    Parameter { name: "store", about, wanted: Wanted::Flag { default } }
}

const STORE: Parameter = store("whether the message is stored nevertheless", false);

const CUT_PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "where",
        about: "how far the exchange gets",
        wanted: Wanted::Choice {
            choices: &["accept", "request-head", "before-status", "in-status", "in-head", "in-body"],
            default: "before-status",
        },
    },
    // The default depends on `where`; see `order`.
    store(
        "whether the message is stored; by default only when a status of success was answered: in-head, in-body",
        false,
    ),
];

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "status",
        about: "Answers with a status, headers and a body of your choice.",
        parameters: &[
            status(500),
            Parameter { name: "headers", about: "headers to set, or null to remove one", wanted: Wanted::Headers },
            Parameter {
                name: "body",
                about: "the body; by default the service's own for the status",
                wanted: Wanted::Text { default: None },
            },
            STORE,
        ],
    },
    Kind {
        name: "delay",
        about: "Waits before the normal answer.",
        parameters: &[
            ms("how long", 1000),
            Parameter {
                name: "store",
                about: "whether the message is stored before or after the wait",
                wanted: Wanted::Choice { choices: &["before", "after"], default: "before" },
            },
        ],
    },
    Kind {
        name: "drip",
        about: "Gives the normal answer, head and body, in small pieces with pauses.",
        parameters: &[
            Parameter {
                name: "bytes",
                about: "bytes a piece",
                wanted: Wanted::Integer { min: 1, max: 65_536, default: 1 },
            },
            ms("the pause between pieces", 100),
        ],
    },
    Kind {
        name: "hang",
        about: "Takes the request and never answers.",
        parameters: &[
            Parameter {
                name: "where",
                about: "after the whole request, or as soon as the connection is there",
                wanted: Wanted::Choice { choices: &["request", "accept"], default: "request" },
            },
            STORE,
        ],
    },
    Kind {
        name: "close",
        about: "Closes the connection (FIN) in the middle of the exchange.",
        parameters: CUT_PARAMETERS,
    },
    Kind {
        name: "reset",
        about: "Resets the connection (RST) in the middle of the exchange.",
        parameters: CUT_PARAMETERS,
    },
    Kind {
        name: "garbage",
        about: "Answers with bytes that are not HTTP/1.",
        parameters: &[
            Parameter {
                name: "form",
                about: "binary junk, or an HTTP/0.9 answer: a body without a head",
                wanted: Wanted::Choice { choices: &["binary", "http09"], default: "binary" },
            },
            Parameter {
                name: "bytes",
                about: "the bytes, as text, instead of the form's",
                wanted: Wanted::Text { default: None },
            },
            STORE,
        ],
    },
    Kind {
        name: "endless-head",
        about: "Begins a normal answer whose head never ends.",
        parameters: &[ms("a pause between header lines", 0), store("whether the message is stored", true)],
    },
    Kind {
        name: "endless-body",
        about: "Answers normally with a body that never ends.",
        parameters: &[ms("a pause between chunks", 0), store("whether the message is stored", true)],
    },
    Kind {
        name: "endless-1xx",
        about: "Sends interim answers: without end, or a number of them before the normal answer.",
        parameters: &[
            Parameter {
                name: "status",
                about: "the interim status",
                wanted: Wanted::Integer { min: 100, max: 199, default: 103 },
            },
            Parameter {
                name: "count",
                about: "how many before the normal answer; 0 never ends",
                wanted: Wanted::Integer { min: 0, max: 100_000, default: 0 },
            },
            ms("a pause between them", 0),
            store("whether the message is stored when they never end", false),
        ],
    },
    Kind {
        name: "early-answer",
        about: "Answers before the body of the request was read, then closes the connection on it.",
        parameters: &[status(413)],
    },
    Kind {
        name: "extra-answer",
        about: "Answers normally, then once more, unasked, on the same connection.",
        parameters: &[status(201), ms("the pause between the two", 0)],
    },
    Kind {
        name: "close-kept",
        about: "Answers normally and promises to keep the connection, then closes it.",
        parameters: &[Parameter {
            name: "when",
            about: "at once, or when the next request's first bytes arrive",
            wanted: Wanted::Choice { choices: &["now", "on-next"], default: "now" },
        }],
    },
    Kind {
        name: "chunked",
        about: "Answers normally, the body in chunks.",
        parameters: &[Parameter {
            name: "bad",
            about: "with a chunk whose size is not a number",
            wanted: Wanted::Flag { default: false },
        }],
    },
    Kind {
        name: "redirect",
        about: "Sends the client elsewhere.",
        parameters: &[
            Parameter {
                name: "status",
                about: "the answer's status",
                wanted: Wanted::Integer { min: 300, max: 399, default: 307 },
            },
            Parameter {
                name: "location",
                about: "where to",
                wanted: Wanted::Text { default: Some("/api/public/users/redirected/conversations/") },
            },
            STORE,
        ],
    },
    Kind {
        name: "store-then-fail",
        about: "Stores the message, then fails: the customer sees it, the client gets an error.",
        parameters: &[status(500)],
    },
    Kind {
        name: "store-then-503",
        about: "Stores the message, then answers as a Varnish that waited too short for the service: 503, Retry-After.",
        parameters: &[Parameter {
            name: "retry_after",
            about: "the seconds of Retry-After",
            wanted: Wanted::Integer { min: 0, max: 86_400, default: 5 },
        }],
    },
    Kind {
        name: "store-then-408",
        about: "Stores the message, then answers as a server that gives its handlers too little time (tower-http): an empty 408.",
        parameters: &[],
    },
    Kind {
        name: "html",
        about: "Answers with an HTML page, as Cloudflare, a proxy or a captive portal does.",
        parameters: &[
            status(403),
            Parameter {
                name: "title",
                about: "the page's title",
                wanted: Wanted::Text { default: Some("Attention Required! | Cloudflare") },
            },
            STORE,
        ],
    },
    Kind {
        name: "slow-read",
        about: "Reads the body of the request only after a while, then answers normally.",
        parameters: &[ms("how long it is not read", 1000)],
    },
    Kind {
        name: "stall-write",
        about: "Stops in the middle of the normal answer.",
        parameters: &[
            Parameter {
                name: "bytes",
                about: "how much of the answer is written before",
                wanted: Wanted::Integer { min: 0, max: 1_000_000, default: 40 },
            },
            ms("how long it stops; 0 until the client goes away", 0),
        ],
    },
    Kind {
        name: "handshake-hang",
        about: "Takes a TLS connection and never answers its first message.",
        parameters: &[],
    },
    Kind { name: "handshake-close", about: "Closes a TLS connection in the middle of the handshake.", parameters: &[] },
];
