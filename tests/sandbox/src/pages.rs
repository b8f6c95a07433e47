//! The inbox: the page at `/`, its files, and the events that update it.

use crate::preview::preview;
use crate::{Shared, timestamp};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::WatchStream;

/// The page may load resources only from here.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                           connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A message is untrusted HTML. It may have styles and embedded pictures. Its scripts do not run, nothing is loaded, no
/// form is sent, and it cannot navigate the page. `allow-same-origin` lets the page measure its height.
const MESSAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
                              form-action 'none'; frame-ancestors 'self'; sandbox allow-same-origin";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Characters of a message in a list.
const PREVIEW_LENGTH: usize = 140;

/// The files of the page.
const ASSETS: &[(&str, &str, &str)] = &[
    ("/", HTML, include_str!("page/inbox.html")),
    ("/favicon.ico", "image/svg+xml", include_str!("page/icon.svg")),
    ("/_sandbox/page/look.css", CSS, include_str!("page/look.css")),
    ("/_sandbox/page/parts.css", CSS, include_str!("page/parts.css")),
    ("/_sandbox/page/main.js", SCRIPT, include_str!("page/main.js")),
    ("/_sandbox/page/dom.js", SCRIPT, include_str!("page/dom.js")),
    ("/_sandbox/page/feed.js", SCRIPT, include_str!("page/feed.js")),
    ("/_sandbox/page/list.js", SCRIPT, include_str!("page/list.js")),
    ("/_sandbox/page/rows.js", SCRIPT, include_str!("page/rows.js")),
    ("/_sandbox/page/detail.js", SCRIPT, include_str!("page/detail.js")),
    ("/_sandbox/page/message.js", SCRIPT, include_str!("page/message.js")),
    ("/_sandbox/page/faults.js", SCRIPT, include_str!("page/faults.js")),
];

/// The pages for people.
pub(crate) fn router() -> Router<Arc<Shared>> {
    let router = Router::new()
        .route("/_sandbox/page/conversations", get(conversations))
        .route("/_sandbox/page/requests", get(requests))
        .route("/_sandbox/conversations/{id}/content", get(content))
        .route("/_sandbox/events", get(events));
    ASSETS
        .iter()
        .fold(router, |router, (path, kind, text)| router.route(path, get(async || guarded(kind, PAGE_POLICY, *text))))
}

/// A message as its customer sees it, to be shown in a frame.
async fn content(State(shared): State<Arc<Shared>>, Path(id): Path<u64>) -> Response {
    match shared.journal.conversation(id) {
        Some(conversation) => {
            let start = include_str!("page/message.html");
            guarded(HTML, MESSAGE_POLICY, format!("{start}{}", conversation.message.content))
        }
        None => {
            (StatusCode::NOT_FOUND, guarded(HTML, MESSAGE_POLICY, "This conversation is kept no more.")).into_response()
        }
    }
}

fn guarded(kind: &'static str, policy: &'static str, text: impl IntoResponse) -> Response {
    let mut response = text.into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The part of a list that the page does not have yet.
#[derive(Deserialize)]
struct Part {
    after: u64,
    limit: usize,
}

/// A row of the inbox.
async fn conversations(State(shared): State<Arc<Shared>>, Query(part): Query<Part>) -> Json<Vec<Value>> {
    let list = shared.journal.conversations(part.after);
    let row = |entry: &Arc<crate::Conversation>| {
        json!({
            "id": entry.id,
            "at": timestamp(entry.at),
            "client_user_id": entry.message.client_user_id,
            "preview": preview(&entry.message.content, PREVIEW_LENGTH),
            "user": entry.message.user,
            "source": entry.message.source,
        })
    };
    Json(list.iter().take(part.limit).map(row).collect())
}

/// A row of the journal.
async fn requests(State(shared): State<Arc<Shared>>, Query(part): Query<Part>) -> Json<Vec<Value>> {
    let list = shared.journal.requests(part.after);
    let row = |entry: &Arc<crate::Exchange>| {
        json!({
            "id": entry.id,
            "at": timestamp(entry.at),
            "method": entry.method(),
            "path": entry.path(),
            "client_user_id": entry.client_user_id(),
            "status": entry.status,
            "fault": entry.fault,
            "complete": entry.complete,
            "stored": entry.stored,
        })
    };
    Json(list.iter().take(part.limit).map(row).collect())
}

/// Sends the page the state after each change, at most ten times a second.
async fn events(State(shared): State<Arc<Shared>>) -> Response {
    let changes = WatchStream::new(shared.journal.watch());
    let stream = changes.throttle(Duration::from_millis(100)).map(move |_| Ok::<_, Infallible>(state(&shared)));
    let mut response = Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn state(shared: &Shared) -> Event {
    let state = json!({
        "run": shared.run,
        "conversations": shared.journal.span(),
        "requests": shared.journal.request_span(),
        "amendments": shared.journal.amendments(),
        "faults": shared.faults.list(),
        "rate_limit": shared.api.throttle.per_second(),
    });
    Event::default().event("state").data(state.to_string())
}
