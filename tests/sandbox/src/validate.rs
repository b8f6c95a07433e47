//! Checks the body. The errors have the words of Django REST Framework's serializers.

use crate::answer::Answer;
use crate::conversation::Message;
use crate::python_json;
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::fmt;

/// The fields of the body, each as it was written. Unknown ones are ignored; of duplicates, the last counts.
#[derive(Default)]
struct Fields<'a> {
    content: Option<&'a RawValue>,
    user: Option<&'a RawValue>,
    source: Option<&'a RawValue>,
    source_context: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Fields<'de>, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields::default();
                while let Some(key) = map.next_key::<Key>()? {
                    match key {
                        Key::Content => fields.content = Some(map.next_value()?),
                        Key::User => fields.user = Some(map.next_value()?),
                        Key::Source => fields.source = Some(map.next_value()?),
                        Key::SourceContext => fields.source_context = Some(map.next_value()?),
                        Key::Other => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    Content,
    User,
    Source,
    SourceContext,
    #[serde(other)]
    Other,
}

/// The message in a body, or a 400 that says what is wrong.
pub(crate) fn message(client_user_id: &str, body: &[u8]) -> Result<Message, Answer> {
    // DRF does not parse an empty body; the serializer then reports every field as missing.
    let fields = if body.is_empty() { Fields::default() } else { parse(body)? };
    let mut errors = Map::new();
    let mut checked = |name: &str, outcome: Result<(), String>| {
        if let Err(words) = outcome {
            errors.insert(name.to_owned(), Value::from(vec![words]));
        }
    };
    let mut message = Message {
        client_user_id: client_user_id.into(),
        content: Box::default(),
        user: None,
        source: None,
        source_context: None,
    };
    checked("content", content(fields.content).map(|content| message.content = content));
    checked("user", user(fields.user).map(|user| message.user = user));
    checked("source", source(fields.source).map(|source| message.source = source));
    checked("source_context", source_context(fields.source_context).map(|context| message.source_context = context));
    if errors.is_empty() { Ok(message) } else { Err(Answer::json(400, Value::Object(errors).to_string())) }
}

fn parse(body: &[u8]) -> Result<Fields<'_>, Answer> {
    let parsed = std::str::from_utf8(body).ok().and_then(|text| serde_json::from_str::<Fields<'_>>(text).ok());
    if let Some(fields) = parsed {
        return Ok(fields);
    }
    if let Some(words) = python_json::complaint(body) {
        return Err(Answer::detail(400, &format!("JSON parse error - {words}")));
    }
    let words = match kind(std::str::from_utf8(body).unwrap_or_default()) {
        "NoneType" => "No data provided".to_owned(),
        other => format!("Invalid data. Expected a dictionary, but got {other}."),
    };
    Err(Answer::json(400, serde_json::json!({ "non_field_errors": [words] }).to_string()))
}

/// Python's name for the type of a JSON text.
fn kind(json: &str) -> &'static str {
    match json.trim_start().bytes().next() {
        Some(b'{') => "dict",
        Some(b'[') => "list",
        Some(b'"') => "str",
        Some(b't' | b'f') => "bool",
        Some(b'n') => "NoneType",
        _ if json.contains(['.', 'e', 'E']) => "float",
        _ => "int",
    }
}

const NOT_NULL: &str = "This field may not be null.";

/// The text of a JSON string. Python keeps lone surrogates, which DRF then refuses.
fn text(json: &str) -> Result<String, String> {
    serde_json::from_str(json).map_err(|_| "Surrogate characters are not allowed: U+D800.".to_owned())
}

fn content(field: Option<&RawValue>) -> Result<Box<str>, String> {
    let json = field.ok_or("This field is required.")?.get();
    let content = match kind(json) {
        "NoneType" => return Err(NOT_NULL.to_owned()),
        "str" => text(json)?,
        "int" | "float" => json.to_owned(),
        _ => return Err("Not a valid string.".to_owned()),
    };
    if content.trim().is_empty() {
        return Err("This field may not be blank.".to_owned());
    }
    if content.contains('\0') {
        return Err("Null characters are not allowed.".to_owned());
    }
    Ok(content.into())
}

fn user(field: Option<&RawValue>) -> Result<Option<i64>, String> {
    let Some(json) = field.map(RawValue::get) else { return Ok(None) };
    let written = match kind(json) {
        "NoneType" => return Err(NOT_NULL.to_owned()),
        "str" => text(json)?,
        "int" | "float" => json.to_owned(),
        _ => String::new(),
    };
    // DRF accepts "926" and 926.0 as integers.
    let digits = written.trim();
    let digits = match digits.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|digit| digit == b'0') => whole,
        _ => digits,
    };
    digits.parse().map(Some).map_err(|_| "A valid integer is required.".to_owned())
}

fn source(field: Option<&RawValue>) -> Result<Option<u8>, String> {
    let Some(json) = field.map(RawValue::get) else { return Ok(None) };
    let written = match kind(json) {
        "NoneType" => return Err(NOT_NULL.to_owned()),
        "str" => text(json)?,
        "bool" => if json == "true" { "True" } else { "False" }.to_owned(),
        _ => json.to_owned(),
    };
    match written.as_bytes() {
        [digit @ b'1'..=b'5'] => Ok(Some(digit - b'0')),
        _ => Err(format!("\"{written}\" is not a valid choice.")),
    }
}

fn source_context(field: Option<&RawValue>) -> Result<Option<Box<RawValue>>, String> {
    let Some(field) = field else { return Ok(None) };
    match kind(field.get()) {
        "dict" | "list" => Ok(Some(field.to_owned())),
        "NoneType" => Err(NOT_NULL.to_owned()),
        other => Err(format!("Expected a dictionary of items but got type \"{other}\".")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> Value {
        let answer = message("42", body.as_bytes()).expect_err(body);
        assert_eq!(answer.status, 400);
        serde_json::from_slice(&answer.body).unwrap()
    }

    #[test]
    fn the_specifications_message_is_accepted_as_written() {
        let body =
            r#"{"content": "Hi <b>user</b>", "user": 926, "source": 2, "source_context": {"z": 1.10, "a": 1e400}}"#;
        let message = message("42", body.as_bytes()).unwrap();
        assert_eq!((&*message.content, message.user, message.source), ("Hi <b>user</b>", Some(926), Some(2)));
        assert_eq!(message.source_context.unwrap().get(), r#"{"z": 1.10, "a": 1e400}"#);
    }

    #[test]
    fn every_wrong_field_is_told_in_one_answer() {
        let told = refusal(r#"{"content": " ", "user": "x", "source": 9, "source_context": 3}"#);
        assert_eq!(told["content"][0], "This field may not be blank.");
        assert_eq!(told["user"][0], "A valid integer is required.");
        assert_eq!(told["source"][0], "\"9\" is not a valid choice.");
        assert_eq!(told["source_context"][0], "Expected a dictionary of items but got type \"int\".");
    }

    #[test]
    fn a_field_is_refused_in_drfs_words() {
        for (body, field, words) in [
            ("", "content", "This field is required."),
            ("{}", "content", "This field is required."),
            (r#"{"content": null}"#, "content", NOT_NULL),
            (r#"{"content": []}"#, "content", "Not a valid string."),
            (r#"{"content": true}"#, "content", "Not a valid string."),
            (r#"{"content": "a\u0000"}"#, "content", "Null characters are not allowed."),
            (r#"{"content": "\ud800"}"#, "content", "Surrogate characters are not allowed: U+D800."),
            (r#"{"content": "a", "user": 1.5}"#, "user", "A valid integer is required."),
            (r#"{"content": "a", "user": true}"#, "user", "A valid integer is required."),
            (r#"{"content": "a", "user": null}"#, "user", NOT_NULL),
            (r#"{"content": "a", "source": 0}"#, "source", "\"0\" is not a valid choice."),
            (r#"{"content": "a", "source": "chat"}"#, "source", "\"chat\" is not a valid choice."),
            (
                r#"{"content": "a", "source_context": "b"}"#,
                "source_context",
                "Expected a dictionary of items but got type \"str\".",
            ),
            ("[]", "non_field_errors", "Invalid data. Expected a dictionary, but got list."),
            ("7", "non_field_errors", "Invalid data. Expected a dictionary, but got int."),
            ("null", "non_field_errors", "No data provided"),
        ] {
            assert_eq!(refusal(body)[field][0], words, "{body}");
        }
        assert_eq!(refusal("{")["detail"].as_str().map(|words| words.starts_with("JSON parse error - ")), Some(true));
    }

    #[test]
    fn what_drf_would_convert_is_converted() {
        for (body, content, user, source) in [
            (r#"{"content": 7, "user": "926", "source": "2"}"#, "7", Some(926), Some(2)),
            (r#"{"content": "a", "user": 926.0}"#, "a", Some(926), None),
            (r#"{"content": "a", "content": "b", "other": {"x": [1]}}"#, "b", None, None),
        ] {
            let message = message("42", body.as_bytes()).unwrap();
            assert_eq!((&*message.content, message.user, message.source), (content, user, source), "{body}");
        }
    }
}
