//! The service's own words, found in an answer's body. Pure.
//!
//! Django REST Framework says `{"detail": ".."}` or `{"field": [".."]}`, this service also `{"errors": {"field": [".."]}}`,
//! and Cloudflare sends HTML pages, of which the title is what a person can use.

use serde_json::Value;

/// The longest detail in characters: it becomes part of one line.
const LONGEST: usize = 300;

/// What `body` says in words, without `secrets`, should it echo them; empty when it says nothing.
pub(crate) fn of_body(body: &[u8], secrets: &[&str]) -> String {
    let text = String::from_utf8_lossy(body);
    let words = match serde_json::from_str::<Value>(&text) {
        Ok(value) => {
            let mut words = Vec::new();
            collect(&value, "", &mut words);
            words.join(" ")
        }
        Err(_) if text.trim_start().starts_with('<') => title(&text).unwrap_or_default().to_owned(),
        Err(_) => text.into_owned(),
    };
    one_line(&without(words, secrets))
}

fn without(words: String, secrets: &[&str]) -> String {
    secrets.iter().fold(words, |words, secret| if words.contains(secret) { words.replace(secret, "…") } else { words })
}

/// The `id` of a 2xx answer of version 2.
pub(crate) fn conversation_id(body: &[u8]) -> Option<i64> {
    // The specification's 201 has no body, and an error is a thing to make, too.
    if body.is_empty() { None } else { serde_json::from_slice::<Value>(body).ok()?.get("id")?.as_i64() }
}

fn collect(value: &Value, field: &str, words: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                // These only wrap what is meant.
                let wrapper = matches!(name.as_str(), "detail" | "errors" | "error" | "message" | "non_field_errors");
                let path = match (wrapper, field) {
                    (true, _) => field.to_owned(),
                    (false, "") => name.clone(),
                    (false, field) => format!("{field}.{name}"),
                };
                collect(value, &path, words);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, field, words)),
        Value::String(text) if field.is_empty() => words.push(text.clone()),
        Value::String(text) => words.push(format!("{field}: {text}")),
        _ => {}
    }
}

fn title(html: &str) -> Option<&str> {
    let lower = html.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    Some(&html[start..end])
}

fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|letter: char| letter.is_whitespace() || letter.is_control()).filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > 4 * LONGEST {
            break;
        }
    }
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => line[..end].to_owned() + "…",
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_forms_become_one_line() {
        for (body, words) in [
            ("", ""),
            (r#"{"detail":"Invalid token."}"#, "Invalid token."),
            (
                r#"{"errors":{"gender":["\"invalid\" is not a valid choice."]}}"#,
                "gender: \"invalid\" is not a valid choice.",
            ),
            (
                r#"{"content":["This field is required."],"user":["A valid integer is required."]}"#,
                "content: This field is required. user: A valid integer is required.",
            ),
            (r#"{"non_field_errors":["No."]}"#, "No."),
            (r#"["No."]"#, "No."),
            (r#"{"source_context":{"name":["Too long."]}}"#, "source_context.name: Too long."),
            ("{\"detail\":\"two\\nlines\\u0000 \"}", "two lines"),
            ("<!DOCTYPE html><html><head>\n<TITLE lang=en>\n 502: Bad\n gateway</TITLE>…", "502: Bad gateway"),
            ("<html>no title", ""),
            ("upstream gone\n", "upstream gone"),
            ("\u{1}\u{2}", ""),
        ] {
            assert_eq!(of_body(body.as_bytes(), &[]), words, "{body}");
        }
        assert_eq!(of_body(b"\xff\xfe", &[]), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn what_is_secret_is_left_out_where_the_service_echoes_it() {
        let body = br#"{"detail":"Token k3y is invalid","content":["\"Hi <b>you</b>\" is too short."]}"#;
        assert_eq!(of_body(body, &["k3y", "Hi <b>you</b>"]), "content: \"…\" is too short. Token … is invalid");
    }

    #[test]
    fn a_long_text_is_bounded() {
        let words = of_body(format!("{{\"detail\":\"{}\"}}", "ż".repeat(100_000)).as_bytes(), &[]);
        assert_eq!(words.chars().count(), LONGEST + 1);
    }

    #[test]
    fn deep_nesting_is_no_trouble() {
        assert!(!of_body("[".repeat(50_000).as_bytes(), &[]).is_empty());
    }

    #[test]
    fn the_conversations_id_is_the_top_levels() {
        assert_eq!(conversation_id(br#"{"id":89,"user":{"id":322842}}"#), Some(89));
        for none in [&b""[..], b"{}", b"{\"id\":\"89\"}", b"[1]", b"{\"id\":89"] {
            assert_eq!(conversation_id(none), None);
        }
    }
}
