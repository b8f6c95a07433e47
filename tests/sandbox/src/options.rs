//! The options of the sandbox.

use crate::tls::TlsVersion;
use clap::Parser;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// The default API key: 64 visible characters, and obviously not a real one.
pub const API_KEY: &str = "sandbox-0000-0000-0000-not-a-real-key-0000-0000-0000-0000-000000";

const _: () = assert!(API_KEY.len() == 64);

/// A UserEngage that runs on this machine: its API, an inbox to look at, a journal for tests, faults to order.
#[derive(Clone, Debug, Parser)]
#[command(name = "ue-sandbox", version, about, max_term_width = 100)]
pub struct Options {
    /// Address to listen at; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8025", value_parser = address)]
    pub listen: SocketAddr,

    /// Port to listen at, instead of the one in --listen
    #[arg(long, short, value_name = "N")]
    pub port: Option<u16>,

    /// Print one line of JSON with the addresses and the key when ready, for programs
    #[arg(long)]
    pub json: bool,

    /// End when standard input is closed, so that a test never leaves a sandbox behind
    #[arg(long)]
    pub until_stdin_closes: bool,

    /// API key to accept
    #[arg(long, value_name = "KEY", default_value = API_KEY)]
    pub api_key: String,

    /// Serve the API over TLS too, on a free port, with a certificate made at start
    #[arg(long)]
    pub tls: bool,

    /// File to write the CA's certificate to [default: in a fresh temporary directory]
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// Versions of TLS to speak
    #[arg(long, value_name = "VERSION", value_enum, default_value_t)]
    pub tls_version: TlsVersion,

    /// Serve over TLS on three more ports, with certificates that are expired, for another host, untrusted
    #[arg(long)]
    pub bad_certs: bool,

    /// Requests a second that the API admits; a token bucket that holds one second's worth
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate_limit: Option<f64>,

    /// Largest integer that is a customer's id; other ids exist unless they start with "missing"
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub users: u64,

    /// Requests and conversations to keep; the oldest are dropped
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub keep: usize,

    /// Bytes of requests, and of conversations, to keep
    #[arg(long, value_name = "N", default_value_t = 64 * 1024 * 1024)]
    pub keep_bytes: usize,

    /// SQLite file to keep conversations in, so that they outlive the sandbox [default: memory alone]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,

    /// Fault to order at start, such as '{"fault":"status","status":503}'; can be given several times
    #[arg(long = "fault", value_name = "JSON")]
    pub faults: Vec<String>,
}

impl Default for Options {
    /// The defaults of the command line, but on a free port.
    fn default() -> Options {
        Options::parse_from(["ue-sandbox", "--listen", "127.0.0.1:0"])
    }
}

/// An address or a name with a port, such as `localhost:8025`.
fn address(text: &str) -> Result<SocketAddr, String> {
    let remedy = "write an address and a port, such as 127.0.0.1:8025";
    text.to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(|| remedy.to_owned())
}

/// Parses a rate limit.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if is_rate(rate) => Ok(rate),
        _ => Err("write a number above 0".to_owned()),
    }
}

pub(crate) fn is_rate(rate: f64) -> bool {
    rate.is_finite() && rate > 0.0
}
