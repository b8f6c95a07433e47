//! Protects the page and the REST from other sites in the same browser.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// Refuses requests of other sites' pages.
///
/// While the sandbox listens on a loopback address, it refuses other host names (DNS rebinding). It always refuses a
/// change from a page of another origin.
pub(crate) async fn check(loopback: bool, request: Request, next: Next) -> Response {
    let host = host(request.headers());
    if loopback && !host.as_deref().is_none_or(is_local) {
        return refuse("This sandbox answers to localhost and to addresses alone.");
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if let Some(origin) = request.headers().get(header::ORIGIN)
        && !reads
        && origin.to_str().ok().and_then(authority) != authority_of_host(request.headers())
    {
        return refuse("A page of another origin may not change this sandbox.");
    }
    next.run(request).await
}

fn refuse(why: &'static str) -> Response {
    (StatusCode::FORBIDDEN, axum::Json(serde_json::json!({ "error": why }))).into_response()
}

fn authority_of_host(headers: &HeaderMap) -> Option<String> {
    headers.get(header::HOST)?.to_str().ok().map(str::to_ascii_lowercase)
}

fn authority(origin: &str) -> Option<String> {
    origin.split_once("://").map(|(_, authority)| authority.to_ascii_lowercase())
}

/// The requested host, without its port.
fn host(headers: &HeaderMap) -> Option<String> {
    let authority = authority_of_host(headers)?;
    let uri: Uri = format!("http://{authority}/").parse().ok()?;
    uri.host().map(str::to_owned)
}

fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.ends_with(".localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_strangers_are_told_from_this_machine() {
        for host in ["localhost", "ue.localhost", "127.0.0.1", "[::1]", "192.168.0.7"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
