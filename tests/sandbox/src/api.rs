//! The one call of the API. Checks a request as the service does: the key, the rate limit, the customer, the body.

use crate::answer::{Answer, Rays};
use crate::conversation::Message;
use crate::head::{self, Head};
use crate::service;
use crate::throttle::Throttle;
use crate::validate;

const ALLOW: &str = "POST, OPTIONS";

/// The API: what it accepts, and its answers.
pub(crate) struct Api {
    pub key: Box<str>,
    /// The largest integer that is a customer's id.
    pub users: u64,
    pub throttle: Throttle,
    pub rays: Rays,
}

/// A message to store, and the requested form of the answer.
pub(crate) struct Accepted {
    pub message: Message,
    pub form: Form,
}

/// The form of the 201.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The specification's: no body.
    Empty,
    /// Version 2's: the conversation as JSON.
    Conversation,
}

impl Api {
    /// Checks a complete request, in the same order as the service.
    pub fn judge(&self, head: &Head<'_>, body: &[u8]) -> Result<Accepted, Answer> {
        if head.is_preflight() {
            return Err(service::preflight(head));
        }
        let path = head.path();
        let Some(client_user_id) = head::client_user_id(path) else { return Err(service::no_page()) };
        self.authenticate(head)?;
        let form = form(head)?;
        self.throttle.admit().map_err(service::throttled)?;
        match head.method {
            "POST" => {}
            "OPTIONS" => return Err(service::description()),
            method => return Err(Answer::detail(405, &format!("Method \"{method}\" not allowed."))),
        }
        if !self.user_exists(&client_user_id) {
            return Err(Answer::detail(404, "Not found."));
        }
        if !body.is_empty() {
            content_type(head)?;
        }
        let message = validate::message(&client_user_id, body)?;
        Ok(Accepted { message, form })
    }

    fn authenticate(&self, head: &Head<'_>) -> Result<(), Answer> {
        let refuse = |detail: &str| Err(Answer::detail(401, detail).with("WWW-Authenticate", "Token"));
        let Some(value) = head.header("authorization") else {
            return refuse("Authentication credentials were not provided.");
        };
        let Ok(value) = std::str::from_utf8(value) else {
            return refuse("Invalid token header. Token string should not contain invalid characters.");
        };
        let mut words = value.split_ascii_whitespace();
        if !words.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("token")) {
            return refuse("Authentication credentials were not provided.");
        }
        match (words.next(), words.next()) {
            (None, _) => refuse("Invalid token header. No credentials provided."),
            (Some(_), Some(_)) => refuse("Invalid token header. Token string should not contain spaces."),
            (Some(token), None) if token == &*self.key => Ok(()),
            _ => refuse("Invalid token."),
        }
    }

    /// Integers exist from 1 to a bound; any other name exists unless it starts with `missing`.
    fn user_exists(&self, id: &str) -> bool {
        let digits = id.strip_prefix(['+', '-']).unwrap_or(id);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return !id.starts_with('-') && digits.parse().is_ok_and(|id: u64| (1..=self.users).contains(&id));
        }
        !id.starts_with("missing")
    }

    /// Adds the headers of every answer of the service.
    pub fn dress(&self, answer: &mut Answer, head: Option<&Head<'_>>, date: &str) {
        let mut headers = Vec::with_capacity(answer.headers.len() + 12);
        headers.push(("Date".into(), date.to_owned().into()));
        headers.append(&mut answer.headers);
        answer.headers = headers;
        answer.headers.push(("Connection".into(), "keep-alive".into()));
        if let Some(head) = head {
            let of_the_view = head::client_segment(head.path()).is_some() && !head.is_preflight();
            if of_the_view {
                answer.headers.push(("Allow".into(), ALLOW.into()));
                answer.headers.push(("Vary".into(), "Accept, Origin".into()));
                answer.headers.push(("X-Frame-Options".into(), "SAMEORIGIN".into()));
            } else {
                answer.headers.push(("Vary".into(), "Origin".into()));
            }
            if let Some(origin) = head.text("origin") {
                answer.headers.push(("Access-Control-Allow-Origin".into(), origin.to_owned().into()));
                answer.headers.push(("Access-Control-Allow-Credentials".into(), "true".into()));
            }
        }
        answer.headers.push(("Set-Cookie".into(), "__cfduid=sandbox; path=/api/; HttpOnly; SameSite=Lax".into()));
        answer.headers.push(("Server".into(), "cloudflare".into()));
        answer.headers.push(("Cf-Ray".into(), self.rays.next().into()));
    }
}

/// The form that the `Accept` header requests, by DRF's `AcceptHeaderVersioning`.
fn form(head: &Head<'_>) -> Result<Form, Answer> {
    let accept = head.text("accept").unwrap_or("*/*");
    let versions = accept.split(',').flat_map(|range| range.split(';').skip(1)).filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("version").then(|| value.trim().trim_matches('"'))
    });
    match versions.last() {
        None | Some("1") => Ok(Form::Empty),
        Some("2") => Ok(Form::Conversation),
        Some(_) => Err(Answer::detail(406, "Invalid version in \"Accept\" header.")),
    }
}

fn content_type(head: &Head<'_>) -> Result<(), Answer> {
    let value = head.text("content-type").unwrap_or("");
    let essence = value.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Answer::detail(415, &format!("Unsupported media type \"{value}\" in request.")))
}
