//! Checks the parameters of an order against the catalogue, and makes a fault of them.

use super::catalogue::{Kind, Wanted};
use super::order::{Refusal, refuse};
use super::{Failure, Fault, Place};
use serde_json::{Map, Value};

/// The checked parameters of an order. Those not given have their defaults.
pub(super) struct Parameters {
    kind: &'static Kind,
    pub given: Map<String, Value>,
}

impl Parameters {
    pub fn check(kind: &'static Kind, mut given: Map<String, Value>) -> Result<Parameters, Refusal> {
        given.retain(|_, value| !value.is_null());
        for (name, value) in &mut given {
            let Some(parameter) = kind.parameters.iter().find(|parameter| parameter.name == name) else {
                let known: Vec<_> = kind.parameters.iter().map(|parameter| parameter.name).collect();
                let own = if known.is_empty() { "none of its own".to_owned() } else { known.join(", ") };
                return refuse(
                    name,
                    format!("is not a parameter of \"{}\"", kind.name),
                    format!("it has {own}; any fault has times, share, seed, client_user_id, port"),
                );
            };
            check_value(name, value, &parameter.wanted)?;
        }
        Ok(Parameters { kind, given })
    }

    fn wanted(&self, name: &str) -> Option<&'static Wanted> {
        self.kind.parameters.iter().find(|parameter| parameter.name == name).map(|parameter| &parameter.wanted)
    }

    fn integer(&self, name: &str) -> u64 {
        match (self.given.get(name).and_then(Value::as_u64), self.wanted(name)) {
            (Some(value), _) => value,
            (None, Some(Wanted::Integer { default, .. })) => *default,
            _ => 0,
        }
    }

    fn status(&self) -> u16 {
        self.integer("status") as u16
    }

    fn ms(&self) -> u64 {
        self.integer("ms")
    }

    fn bytes(&self) -> usize {
        self.integer("bytes") as usize
    }

    fn text(&self, name: &str) -> Option<&str> {
        match (self.given.get(name).and_then(Value::as_str), self.wanted(name)) {
            (Some(text), _) => Some(text),
            (None, Some(Wanted::Text { default })) => *default,
            (None, Some(Wanted::Choice { default, .. })) => Some(default),
            _ => None,
        }
    }

    fn flag(&self, name: &str) -> bool {
        match (self.given.get(name).and_then(Value::as_bool), self.wanted(name)) {
            (Some(flag), _) => flag,
            (None, Some(Wanted::Flag { default })) => *default,
            _ => false,
        }
    }

    fn owned(&self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_owned()
    }

    fn headers(&self) -> Vec<(String, Option<String>)> {
        let Some(Value::Object(headers)) = self.given.get("headers") else { return Vec::new() };
        headers
            .iter()
            .flat_map(|(name, value)| match value {
                Value::Array(several) => several.iter().map(|value| (name.clone(), plain(value))).collect(),
                one => vec![(name.clone(), plain(one))],
            })
            .collect()
    }

    pub fn fault(&self) -> Fault {
        let store = self.flag("store");
        match self.kind.name {
            "status" => {
                let body = self.text("body").map(str::to_owned);
                Fault::Status { status: self.status(), headers: self.headers(), body, store }
            }
            "delay" => Fault::Delay { ms: self.ms(), store_after: self.text("store") == Some("after") },
            "drip" => Fault::Drip { bytes: self.bytes(), ms: self.ms() },
            "hang" => Fault::Hang { at_accept: self.text("where") == Some("accept"), store },
            "close" => self.cut(false),
            "reset" => self.cut(true),
            "garbage" => Fault::Garbage { bytes: self.garbage(), store },
            "endless-head" => Fault::EndlessHead { ms: self.ms(), store },
            "endless-body" => Fault::EndlessBody { ms: self.ms(), store },
            "endless-1xx" => {
                Fault::Endless1xx { status: self.status(), count: self.integer("count"), ms: self.ms(), store }
            }
            "early-answer" => Fault::EarlyAnswer { status: self.status() },
            "extra-answer" => Fault::ExtraAnswer { status: self.status(), ms: self.ms() },
            "close-kept" => Fault::CloseKept { on_next: self.text("when") == Some("on-next") },
            "chunked" => Fault::Chunked { bad: self.flag("bad") },
            "redirect" => Fault::Redirect { status: self.status(), location: self.owned("location"), store },
            "store-then-fail" => Fault::StoreThenFail(Failure::Service { status: self.status() }),
            "store-then-503" => Fault::StoreThenFail(Failure::Varnish { retry_after: self.integer("retry_after") }),
            "store-then-408" => Fault::StoreThenFail(Failure::TimeoutLayer),
            "html" => Fault::Html { status: self.status(), title: self.owned("title"), store },
            "slow-read" => Fault::SlowRead { ms: self.ms() },
            "stall-write" => Fault::StallWrite { bytes: self.bytes(), ms: self.ms() },
            "handshake-hang" => Fault::HandshakeHang,
            "handshake-close" => Fault::HandshakeClose,
            name => unreachable!("the catalogue has a fault {name} that nothing plays"),
        }
    }

    fn cut(&self, reset: bool) -> Fault {
        let place = match self.text("where") {
            Some("accept") => Place::Accept,
            Some("request-head") => Place::RequestHead,
            Some("in-status") => Place::InStatus,
            Some("in-head") => Place::InHead,
            Some("in-body") => Place::InBody,
            _ => Place::BeforeStatus,
        };
        // A service that answered 201 has stored the message. Before that, it may have.
        let by_default = matches!(place, Place::InHead | Place::InBody);
        let store = self.given.get("store").and_then(Value::as_bool).unwrap_or(by_default);
        Fault::Cut { place, store, reset }
    }

    fn garbage(&self) -> Vec<u8> {
        match (self.text("bytes"), self.text("form")) {
            (Some(bytes), _) => bytes.as_bytes().to_vec(),
            (None, Some("http09")) => b"<html><body>It works!</body></html>\n".to_vec(),
            _ => b"\x00\xff\x15\x03\x01\x00\x02\x02\x28SSH-2.0-what\xc3\x28\r\n\x7f\r\n\r\n".to_vec(),
        }
    }
}

/// A header's value as text. A number becomes its digits.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn check_value(name: &str, value: &mut Value, wanted: &Wanted) -> Result<(), Refusal> {
    match wanted {
        Wanted::Integer { min, max, .. } => match value.as_u64() {
            Some(number) if (*min..=*max).contains(&number) => Ok(()),
            _ => refuse(name, "is out of bounds or no whole number", format!("write one from {min} to {max}")),
        },
        Wanted::Text { .. } => match value {
            Value::String(_) => Ok(()),
            // A body is often given as a JSON value instead of a text.
            Value::Object(_) | Value::Array(_) if name == "body" => {
                *value = Value::String(value.to_string());
                Ok(())
            }
            _ => refuse(name, "is not a text", "write a JSON string"),
        },
        Wanted::Flag { .. } if value.is_boolean() => Ok(()),
        Wanted::Flag { .. } => refuse(name, "is neither true nor false", "write true or false"),
        Wanted::Choice { choices, .. } => match value.as_str() {
            Some(word) if choices.contains(&word) => Ok(()),
            _ => refuse(name, "is not one of its values", format!("choose one of {}", choices.join(", "))),
        },
        Wanted::Headers => check_headers(name, value),
    }
}

fn check_headers(field: &str, value: &Value) -> Result<(), Refusal> {
    let remedy = "write an object of names and values, such as {\"Retry-After\": \"3\"}; null takes a header away";
    let Value::Object(headers) = value else { return refuse(field, "is not an object", remedy) };
    for (name, value) in headers {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
            return refuse(field, format!("\"{name}\" is not a header name"), remedy);
        }
        let values = match value {
            Value::Array(several) => several.as_slice(),
            one => std::slice::from_ref(one),
        };
        for value in values {
            let fits = match value {
                Value::String(text) => !text.contains(['\r', '\n', '\0']),
                Value::Number(_) | Value::Null => true,
                _ => false,
            };
            if !fits {
                return refuse(field, format!("the value of {name} fits no header line"), remedy);
            }
        }
    }
    Ok(())
}
