//! The REST for tests: the journal, the conversations, the counts, the faults, the rate limit.

use crate::fault::{self, Refusal};
use crate::options::is_rate;
use crate::{Conversation, Exchange, Shared};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;

type App = State<Arc<Shared>>;

/// Everything below `/_sandbox/` that programs use.
pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/_sandbox/info", get(info))
        .route("/_sandbox/stats", get(stats))
        .route("/_sandbox/requests", get(requests).delete(clear_requests))
        .route("/_sandbox/requests/{id}", get(request))
        .route("/_sandbox/conversations", get(conversations).delete(clear_conversations))
        .route("/_sandbox/conversations/{id}", get(conversation))
        .route("/_sandbox/conversations/{id}/request", get(request_of_conversation))
        .route("/_sandbox/faults", get(faults).post(order_fault).delete(clear_faults))
        .route("/_sandbox/faults/catalogue", get(catalogue))
        .route("/_sandbox/faults/{id}", axum::routing::delete(clear_fault))
        .route("/_sandbox/rate-limit", get(rate_limit).put(set_rate_limit))
}

/// The requested part of a list.
#[derive(Deserialize)]
struct Part {
    client_user_id: Option<String>,
    /// Only ids above this one.
    #[serde(default)]
    after: u64,
    /// Only ids below this one. With `limit`, the ones nearest to it.
    before: Option<u64>,
    limit: Option<usize>,
}

impl Part {
    /// Selects the part of a list after `self.after`, oldest first.
    fn of<T>(&self, list: Vec<Arc<T>>, id: impl Fn(&T) -> u64, client: impl Fn(&T) -> Option<String>) -> Vec<Arc<T>> {
        let fits = |item: &Arc<T>| {
            self.before.is_none_or(|before| id(item) < before)
                && self.client_user_id.as_ref().is_none_or(|wanted| client(item).as_ref() == Some(wanted))
        };
        let limit = self.limit.unwrap_or(usize::MAX);
        if self.before.is_none() {
            return list.into_iter().filter(fits).take(limit).collect();
        }
        let mut picked: Vec<_> = list.into_iter().rev().filter(fits).take(limit).collect();
        picked.reverse();
        picked
    }
}

async fn info(State(shared): App) -> Response {
    json(&shared.announcement.get())
}

async fn stats(State(shared): App) -> Response {
    let mut stats = serde_json::to_value(shared.journal.stats()).unwrap_or_default();
    stats["connections"] = json!(shared.connections.load(Ordering::Relaxed));
    stats["faults_waiting"] = json!(shared.faults.list().len());
    json(&stats)
}

async fn requests(State(shared): App, Query(part): Query<Part>) -> Response {
    let list = shared.journal.requests(part.after);
    json_list(&part.of(list, |entry: &Exchange| entry.id, Exchange::client_user_id))
}

async fn request(State(shared): App, Path(id): Path<u64>) -> Response {
    shared.journal.request(id).map_or_else(nothing, |entry| json(&*entry))
}

async fn clear_requests(State(shared): App) -> StatusCode {
    shared.journal.clear_requests();
    StatusCode::NO_CONTENT
}

async fn conversations(State(shared): App, Query(part): Query<Part>) -> Response {
    let list = shared.journal.conversations(part.after);
    json_list(&part.of(list, |entry: &Conversation| entry.id, |entry| Some(entry.message.client_user_id.to_string())))
}

async fn conversation(State(shared): App, Path(id): Path<u64>) -> Response {
    shared.journal.conversation(id).map_or_else(nothing, |entry| json(&*entry))
}

async fn clear_conversations(State(shared): App) -> StatusCode {
    shared.journal.clear_conversations();
    StatusCode::NO_CONTENT
}

/// The request of a conversation, even after the journal has dropped it.
async fn request_of_conversation(State(shared): App, Path(id): Path<u64>) -> Response {
    shared.journal.conversation(id).map_or_else(nothing, |entry| json(&*entry.exchange))
}

async fn faults(State(shared): App) -> Response {
    json(&shared.faults.list())
}

async fn catalogue() -> Response {
    json(&fault::catalogue())
}

async fn order_fault(State(shared): App, body: Bytes) -> Response {
    let outcome =
        parse(&body, "fault", r#"{"fault": "status", "status": 503}"#).and_then(|order| shared.faults.order(&order));
    shared.journal.changed();
    match outcome {
        Ok(order) => (StatusCode::CREATED, json(&order)).into_response(),
        Err(refusal) => (StatusCode::BAD_REQUEST, json(&refusal)).into_response(),
    }
}

async fn clear_faults(State(shared): App, Query(part): Query<Part>) -> Response {
    let cleared =
        shared.faults.clear(|order| part.client_user_id.is_none() || order.client_user_id == part.client_user_id);
    shared.journal.changed();
    json(&json!({ "cleared": cleared }))
}

async fn clear_fault(State(shared): App, Path(id): Path<u64>) -> Response {
    let cleared = shared.faults.clear(|order| order.id == id);
    shared.journal.changed();
    if cleared == 0 { nothing() } else { StatusCode::NO_CONTENT.into_response() }
}

async fn rate_limit(State(shared): App) -> Response {
    json(&json!({ "per_second": shared.api.throttle.per_second() }))
}

async fn set_rate_limit(State(shared): App, body: Bytes) -> Response {
    let example = r#"{"per_second": 5}, or null for no limit"#;
    let wanted = parse(&body, "per_second", example).and_then(|json| match json.get("per_second") {
        Some(Value::Null) => Ok(None),
        Some(value) if value.as_f64().is_some_and(is_rate) => Ok(value.as_f64()),
        _ => Err(Refusal {
            field: "per_second".to_owned(),
            error: "is not a number above 0".to_owned(),
            remedy: format!("write {example}"),
        }),
    });
    match wanted {
        Ok(per_second) => {
            shared.api.throttle.set(per_second);
            shared.journal.changed();
            json(&json!({ "per_second": per_second }))
        }
        Err(refusal) => (StatusCode::BAD_REQUEST, json(&refusal)).into_response(),
    }
}

fn parse(body: &[u8], field: &str, example: &str) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal {
        field: field.to_owned(),
        error: format!("the body is not JSON: {error}"),
        remedy: format!("write {example}"),
    })
}

fn nothing() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"error": "There is nothing of that number, or no more."}))).into_response()
}

fn json<T: Serialize + ?Sized>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn json_list<T: Serialize>(list: &[Arc<T>]) -> Response {
    json(&list.iter().map(|item| &**item).collect::<Vec<_>>())
}
