//! Extracts the service's own words from the body of an answer, and redacts them. No I/O.
//!
//! Django REST Framework answers `{"detail": ".."}` or `{"field": [".."]}`, this service also `{"errors": {"field":
//! [".."]}}`. Cloudflare sends HTML pages, and their title is useful to a person. No other part of a body is shown: it
//! may be an echo of the request.

use serde_core::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::http::Answer;
use crate::send::assess::{has_wide_bom, trimmed};

mod redact;

pub(crate) use redact::Secrets;

/// The longest detail in characters. It becomes a part of one line.
const LONGEST: usize = 300;

/// The longest name of a field that is shown.
const LONGEST_NAME: usize = 64;

/// The words of `answer`. Empty if it has none. Redacted to empty if they would show a part of `secrets`.
pub(crate) fn of_answer(answer: &Answer, secrets: &Secrets<'_>) -> String {
    if answer.content_encoded || has_wide_bom(&answer.body) {
        return String::new();
    }
    let text = String::from_utf8_lossy(trimmed(&answer.body));
    let mut words = String::new();
    if text.starts_with('<') {
        words = title(&text).unwrap_or_default().to_owned();
    } else if answer.status >= 400
        && let Ok(value) = serde_json::from_str(&text)
    {
        let mut found = Vec::new();
        collect(&value, "", false, &mut found);
        words = found.join(" ");
    }
    // Compare only as much as can be shown. Compare before `one_line`, which removes characters from garbled words.
    let words: String = words.trim_start().chars().take(4 * LONGEST).collect();
    if secrets.show_in(&words) { String::new() } else { one_line(&words) }
}

/// Collects the words of `value`, which belongs to `field` (a path with dots; empty for the top level). The errors of
/// `content` and `source_context` are in lists. A string outside a list is the attribute itself, and is skipped.
fn collect(value: &Value, field: &str, listed: bool, words: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                // These names only wrap the actual errors.
                let wraps = matches!(name.as_str(), "detail" | "errors" | "error" | "message" | "non_field_errors");
                if wraps {
                    collect(value, field, listed, words);
                } else if is_plain(name) {
                    let path = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
                    collect(value, &path, false, words);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, field, true, words)),
        Value::String(text) if field.is_empty() => words.push(text.clone()),
        Value::String(text) if text.chars().nth(LONGEST).is_none() && (listed || !is_of_the_request(field)) => {
            words.push(format!("{field}: {text}"));
        }
        _ => {}
    }
}

/// Whether `name` looks like the name of a field.
fn is_plain(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Whether `field` is a part of the message.
fn is_of_the_request(field: &str) -> bool {
    field.split('.').any(|name| matches!(name, "content" | "source_context"))
}

/// The text of the `<title>` element.
fn title(html: &str) -> Option<&str> {
    let lower = html.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    Some(&html[start..end])
}

/// Joins lines, removes control and format characters, and cuts a long text.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for letter in text.chars().filter(|letter| !is_format(*letter)) {
        if !letter.is_whitespace() && !letter.is_control() {
            line.push(letter);
        } else if !line.is_empty() && !line.ends_with(' ') {
            line.push(' ');
        }
    }
    line.truncate(line.trim_end().len());
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => line[..end].to_owned() + "…",
        None => line,
    }
}

/// Whether a character is invisible, but may change how others are displayed, for example reverse them.
fn is_format(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// The `id` of a 2xx answer of version 2. Ignores the other fields, and works also if the end of the body is missing.
pub(crate) fn conversation_id(body: &[u8]) -> Option<i64> {
    let body = trimmed(body);
    // Skip a number at the very end: it may be cut off.
    let end = body.iter().rposition(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))? + 1;
    let mut id = None;
    // An error only ends the search. An id that was found before it counts.
    let _ = serde_json::Deserializer::from_slice(&body[..end]).deserialize_map(FindId(&mut id));
    id
}

/// Finds the `id` of an object.
struct FindId<'a>(&'a mut Option<i64>);

impl<'de> Visitor<'de> for FindId<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(IsId(is_id)) = fields.next_key()? {
            if is_id {
                *self.0 = Some(fields.next_value()?);
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Whether a name is `id`. Read as bytes, because a name may hold a lone surrogate, which no Rust string can.
struct IsId(bool);

impl<'de> serde_core::Deserialize<'de> for IsId {
    fn deserialize<D: Deserializer<'de>>(name: D) -> Result<Self, D::Error> {
        name.deserialize_bytes(IsId(false))
    }
}

impl Visitor<'_> for IsId {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Self, E> {
        Ok(IsId(name == b"id"))
    }
}

#[cfg(test)]
mod tests;
