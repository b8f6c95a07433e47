//! An order for a fault. It is checked against the catalogue; an error says what to write instead.

use super::Fault;
use super::catalogue::{KINDS, Kind};
use super::parameters::Parameters;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};

/// An ordered fault: which one, for whom, and how often.
#[derive(Debug)]
pub(crate) struct Order {
    pub id: u64,
    pub name: &'static str,
    pub fault: Fault,
    /// The parameters as they were given.
    pub parameters: Map<String, Value>,
    pub frequency: Frequency,
    /// Plays only for requests to this customer.
    pub client_user_id: Option<String>,
    /// Plays only on connections to this port.
    pub port: Option<u16>,
    /// How often it has been played.
    pub played: u64,
}

/// How often a fault is played.
#[derive(Debug)]
pub(crate) enum Frequency {
    /// This many more times.
    Times(u64),
    /// For a random share of the requests, until the order is deleted.
    Share(f64, fastrand::Rng),
}

/// Why an order was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The field that is wrong.
    pub field: String,
    /// What is wrong with it.
    pub error: String,
    /// What to write instead.
    pub remedy: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}; {}", self.field, self.error, self.remedy)
    }
}

impl std::error::Error for Refusal {}

pub(super) fn refuse<T>(field: &str, error: impl Into<String>, remedy: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { field: field.to_owned(), error: error.into(), remedy: remedy.into() })
}

impl Order {
    /// Checks an order. The queue assigns its id.
    pub fn parse(json: &Value) -> Result<Order, Refusal> {
        let Value::Object(given) = json else {
            return refuse("fault", "an order is a JSON object", "write {\"fault\": \"status\", \"status\": 503}");
        };
        let mut given = given.clone();
        let kind = kind(given.remove("fault"))?;
        let frequency = frequency(&mut given)?;
        let client_user_id = match given.remove("client_user_id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id),
            Some(Value::Number(id)) => Some(id.to_string()),
            Some(_) => {
                return refuse(
                    "client_user_id",
                    "is neither text nor a number",
                    "write the id as the path has it, decoded",
                );
            }
        };
        let port = match given.remove("port") {
            None | Some(Value::Null) => None,
            Some(value) => match value.as_u64().and_then(|port| u16::try_from(port).ok()) {
                Some(port) => Some(port),
                None => return refuse("port", "is not a port", "write a number from 1 to 65535"),
            },
        };
        let parameters = Parameters::check(kind, given)?;
        let fault = parameters.fault();
        if fault.is_at_accept() && client_user_id.is_some() {
            return refuse(
                "client_user_id",
                "is not known before a request is read",
                "leave it out; \"port\" narrows this fault to the connections of one port",
            );
        }
        Ok(Order {
            id: 0,
            name: kind.name,
            fault,
            parameters: parameters.given,
            frequency,
            client_user_id,
            port,
            played: 0,
        })
    }
}

fn kind(name: Option<Value>) -> Result<&'static Kind, Refusal> {
    let known = || KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
    match name {
        Some(Value::String(name)) => match KINDS.iter().find(|kind| kind.name == name) {
            Some(kind) => Ok(kind),
            None => refuse("fault", format!("there is no fault \"{name}\""), format!("choose one of {}", known())),
        },
        _ => refuse("fault", "no fault is named", format!("choose one of {}", known())),
    }
}

fn frequency(given: &mut Map<String, Value>) -> Result<Frequency, Refusal> {
    let times = given.remove("times").filter(|value| !value.is_null());
    let share = given.remove("share").filter(|value| !value.is_null());
    let seed = match given.remove("seed").filter(|value| !value.is_null()) {
        None => None,
        Some(value) => match value.as_u64() {
            Some(seed) => Some(seed),
            None => return refuse("seed", "is not a whole number", "write one from 0 up, or leave it out"),
        },
    };
    match (times, share) {
        (Some(_), Some(_)) => refuse("share", "stands beside \"times\"", "give one of the two"),
        (None, Some(share)) => match share.as_f64() {
            Some(share) if share > 0.0 && share <= 1.0 => {
                Ok(Frequency::Share(share, seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed)))
            }
            _ => refuse("share", "is not a share", "write a number above 0 and up to 1"),
        },
        (times, None) => match times.map_or(Some(1), |value| value.as_u64()) {
            Some(times) if times > 0 => Ok(Frequency::Times(times)),
            _ => refuse("times", "is not a count", "write a whole number from 1 up"),
        },
    }
}

impl Serialize for Order {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("fault", self.name)?;
        for (name, value) in &self.parameters {
            map.serialize_entry(name, value)?;
        }
        match &self.frequency {
            Frequency::Times(times) => map.serialize_entry("times", times)?,
            Frequency::Share(share, _) => map.serialize_entry("share", share)?,
        }
        if let Some(id) = &self.client_user_id {
            map.serialize_entry("client_user_id", id)?;
        }
        if let Some(port) = &self.port {
            map.serialize_entry("port", port)?;
        }
        map.serialize_entry("played", &self.played)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_fault_of_the_catalogue_can_be_ordered_by_its_name_alone() {
        for kind in KINDS {
            let order = Order::parse(&json!({"fault": kind.name})).unwrap();
            assert_eq!(order.name, kind.name);
            assert!(matches!(order.frequency, Frequency::Times(1)));
        }
    }

    #[test]
    fn a_bad_order_is_refused_with_its_field_and_a_remedy() {
        for (order, field) in [
            (json!([]), "fault"),
            (json!({}), "fault"),
            (json!({"fault": "stauts"}), "fault"),
            (json!({"fault": "status", "status": 1000}), "status"),
            (json!({"fault": "status", "status": "503"}), "status"),
            (json!({"fault": "status", "ms": 5}), "ms"),
            (json!({"fault": "status", "headers": {"A b": "c"}}), "headers"),
            (json!({"fault": "status", "headers": {"A": "c\r\nd"}}), "headers"),
            (json!({"fault": "status", "body": 5}), "body"),
            (json!({"fault": "hang", "store": "yes"}), "store"),
            (json!({"fault": "close", "where": "here"}), "where"),
            (json!({"fault": "hang", "times": 0}), "times"),
            (json!({"fault": "hang", "share": 1.5}), "share"),
            (json!({"fault": "hang", "share": 0.5, "times": 1}), "share"),
            (json!({"fault": "hang", "share": 0.5, "seed": -1}), "seed"),
            (json!({"fault": "hang", "port": 70000}), "port"),
            (json!({"fault": "close", "where": "accept", "client_user_id": "42"}), "client_user_id"),
        ] {
            let refusal = Order::parse(&order).expect_err(&order.to_string());
            assert_eq!(refusal.field, field, "{order}");
            assert!(!refusal.remedy.is_empty());
        }
    }

    #[test]
    fn a_cut_stores_by_default_only_what_was_answered_with_success() {
        for (place, stored) in [("before-status", false), ("in-status", false), ("in-head", true), ("in-body", true)] {
            let order = Order::parse(&json!({"fault": "reset", "where": place})).unwrap();
            assert!(matches!(order.fault, Fault::Cut { store, reset: true, .. } if store == stored), "{place}");
        }
    }
}
