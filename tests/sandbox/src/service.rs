//! The answers of the service, and of Cloudflare in front of it.

use crate::answer::{Answer, reason};
use crate::api::Form;
use crate::head::Head;
use std::borrow::Cow;

/// The 201 for a message that was stored as conversation `id`.
pub(crate) fn created(form: Form, id: u64, client_user_id: &str, agent: Option<i64>) -> Answer {
    match form {
        Form::Empty => Answer::empty(201),
        Form::Conversation => {
            let number = client_user_id.parse().unwrap_or_else(|_| u64::from(fingerprint(client_user_id)) % 1_000_000);
            let body = serde_json::json!({
                "id": id,
                "user": {
                    "id": number,
                    "key": format!("{:012x}", u64::from(fingerprint(client_user_id)).wrapping_mul(0x9e37_79b9_7f4b) & 0xffff_ffff_ffff),
                    "name": format!("Customer {client_user_id}"),
                    "email": format!("customer{number}@example.com"),
                },
                "active": true,
                "agent": agent,
                "messages": 1,
            });
            Answer::json(201, body.to_string())
        }
    }
}

/// FNV-1a, so that a customer has the same number in every run.
fn fingerprint(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The 429 of DRF's throttle. It runs before the view, so nothing was stored.
pub(crate) fn throttled(seconds: u64) -> Answer {
    let unit = if seconds == 1 { "second" } else { "seconds" };
    Answer::detail(429, &format!("Request was throttled. Expected available in {seconds} {unit}."))
        .with("Retry-After", seconds.to_string())
}

/// Django's page for an unknown path, such as one without its trailing slash.
pub(crate) fn no_page() -> Answer {
    Answer::html(
        404,
        "\n<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>Not Found</title>\n</head>\n<body>\n  \
         <h1>Not Found</h1><p>The requested resource was not found on this server.</p>\n</body>\n</html>\n",
    )
}

/// A page of Cloudflare, which is in front of the service.
pub(crate) fn cloudflare_page(status: u16, title: &str) -> Answer {
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    Answer::html(
        status,
        format!(
            "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n<title>{title}</title>\n<meta charset=\"UTF-8\" />\n</head>\n\
             <body>\n<div id=\"cf-wrapper\"><div id=\"cf-error-details\">\n<h1>Error {status}</h1>\n<h2>{title}</h2>\n\
             </div></div>\n</body>\n</html>\n"
        ),
    )
}

/// What Varnish 7 answers when the service did not answer within `first_byte_timeout`, with the headers of Debian's.
pub(crate) fn varnish_failed(date: &str, retry_after: u64) -> Answer {
    let page = "<!DOCTYPE html>\n<html>\n  <head>\n    <title>503 Backend fetch failed</title>\n  </head>\n  <body>\n    \
                <h1>Error 503 Backend fetch failed</h1>\n    <p>Backend fetch failed</p>\n    <h3>Guru Meditation:</h3>\n    \
                <p>XID: 32770</p>\n    <hr>\n    <p>Varnish cache server</p>\n  </body>\n</html>\n";
    let mut answer = Answer::empty(503)
        .with("Date", date.to_owned())
        .with("Server", "Varnish")
        .with("Content-Type", "text/html; charset=utf-8")
        .with("Retry-After", retry_after.to_string())
        .with("X-Varnish", "32770")
        .with("Age", "0")
        .with("Via", "1.1 varnish (Varnish/7.1)")
        .with("Connection", "keep-alive");
    answer.reason = Some("Backend fetch failed");
    answer.body = Cow::Borrowed(page.as_bytes());
    answer
}

/// The bytes of an interim answer.
pub(crate) fn interim(status: u16) -> Vec<u8> {
    let mut answer = Answer::empty(status);
    if status != 100 {
        answer = answer.with("Link", "</style.css>; rel=preload; as=style");
    }
    let mut text = Vec::new();
    answer.write_start(&mut text);
    text.extend_from_slice(b"\r\n");
    text
}

/// DRF's description of the view, for `OPTIONS`.
pub(crate) fn description() -> Answer {
    let body =
        r#"{"name":"Conversation","description":"","renders":["application/json"],"parses":["application/json"]}"#;
    Answer::json(200, body)
}

/// The answer to a CORS preflight request.
pub(crate) fn preflight(head: &Head<'_>) -> Answer {
    let mut answer = Answer::empty(200)
        .with("Access-Control-Allow-Methods", "DELETE, GET, OPTIONS, PATCH, POST, PUT")
        .with(
            "Access-Control-Allow-Headers",
            "accept, accept-encoding, authorization, content-type, dnt, origin, user-agent, x-csrftoken, x-requested-with",
        )
        .with("Access-Control-Max-Age", "86400");
    // Newer browsers need one more header if a page of the public internet sends to this machine.
    if head.header("access-control-request-private-network").is_some() {
        answer = answer.with("Access-Control-Allow-Private-Network", "true");
    }
    answer
}

/// The answer of the service, or of Cloudflare in front of it, for a status.
pub(crate) fn for_status(status: u16) -> Answer {
    let detail = |words: &str| Answer::detail(status, words);
    match status {
        400 => Answer::json(400, r#"{"content":["This field is required."]}"#),
        401 => detail("Invalid token.").with("WWW-Authenticate", "Token"),
        403 => detail("You do not have permission to perform this action."),
        404 => detail("Not found."),
        405 => detail("Method \"POST\" not allowed."),
        406 => detail("Could not satisfy the request Accept header."),
        415 => detail("Unsupported media type \"application/json\" in request."),
        429 => detail("Request was throttled."),
        500 => Answer::html(
            500,
            "\n<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>Server Error (500)</title>\n</head>\n<body>\n  <h1>Server Error (500)</h1><p></p>\n</body>\n</html>\n",
        ),
        408 | 413 | 414 | 431 | 502..=504 | 520..=530 => {
            cloudflare_page(status, &format!("{status}: {}", reason(status)))
        }
        _ if (400..500).contains(&status) => detail(reason(status)),
        _ => Answer::empty(status),
    }
}
