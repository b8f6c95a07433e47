//! The command `ue-sandbox`.

#![forbid(unsafe_code)]

use clap::Parser;
use std::io::{Read, Write};
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};
use ue_sandbox::{Options, Sandbox};

fn main() -> ExitCode {
    let options = Options::parse();
    let (json, until_stdin_closes) = (options.json, options.until_stdin_closes);
    let sandbox = match Sandbox::start(options) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            eprintln!("ue-sandbox: {error}");
            return ExitCode::FAILURE;
        }
    };
    // Catch signals before it reports that it is ready.
    let end = match sandbox.run_until(async { End::new(until_stdin_closes) }) {
        Ok(end) => end,
        Err(error) => {
            eprintln!("ue-sandbox: signals cannot be caught: {error}");
            return ExitCode::FAILURE;
        }
    };
    let text = if json { sandbox.announcement().to_string() } else { greeting(&sandbox) };
    // An error means that nobody reads the output: go on.
    let _ = writeln!(std::io::stdout(), "{text}").and_then(|()| std::io::stdout().flush());
    sandbox.run_until(end.come());
    ExitCode::SUCCESS
}

/// Waits for the end: SIGINT, SIGTERM or, with the option, the end of standard input.
struct End {
    interrupt: Signal,
    terminate: Signal,
    until_stdin_closes: bool,
}

impl End {
    fn new(until_stdin_closes: bool) -> std::io::Result<End> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(End { interrupt, terminate, until_stdin_closes })
    }

    async fn come(mut self) {
        let (closed, stdin) = tokio::sync::oneshot::channel();
        if self.until_stdin_closes {
            // In a thread, because a read from a terminal or a file blocks.
            std::thread::spawn(move || {
                let mut sink = [0; 1024];
                while matches!(std::io::stdin().read(&mut sink), Ok(1..)) {}
                let _ = closed.send(());
            });
        }
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = stdin, if self.until_stdin_closes => {}
        }
    }
}

/// The text for a person at the start.
fn greeting(sandbox: &Sandbox) -> String {
    let (url, base_url, key) = (sandbox.url(), sandbox.base_url(), sandbox.api_key());
    let mut text =
        format!("A UserEngage on this machine.\n\n  Inbox     {url}\n  Base URL  {base_url}\n  API key   {key}\n");
    if let (Some(base_url), Some(file)) = (sandbox.tls_base_url(), sandbox.ca_file()) {
        text += &format!("  TLS       {base_url}\n  CA        {}\n", file.display());
    }
    if let Some(bad) = sandbox.announcement()["bad_tls"].as_object() {
        for (flaw, url) in bad {
            text += &format!("  Bad TLS   {} ({})\n", url.as_str().unwrap_or_default(), flaw.replace('_', " "));
        }
    }
    text += &format!(
        "\nTry it:\n  curl -i -H 'Authorization: Token {key}' -H 'Content-Type: application/json' \\\n    \
         -d '{{\"content\": \"Hi <b>user</b>, enjoy our product!\"}}' {base_url}users/42/conversations/\n\n\
         It ends with Ctrl-C."
    );
    text
}
