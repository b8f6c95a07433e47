use super::*;

const NONE: Secrets<'_> = Secrets { api_key: "", content: "", source_context: None };

fn words(body: &[u8]) -> String {
    of_answer(&Answer { status: 400, body: body.into(), ..Answer::default() }, &NONE)
}

#[test]
fn the_services_forms_become_one_line() {
    for (body, expected) in [
        ("", ""),
        (r#"{"detail":"Invalid token."}"#, "Invalid token."),
        (r#"{"error":{"message":"Too long."}}"#, "Too long."),
        (
            r#"{"errors":{"gender":["\"invalid\" is not a valid choice."]}}"#,
            "gender: \"invalid\" is not a valid choice.",
        ),
        (r#"{"errors":{"gender":"No."}}"#, "gender: No."),
        (
            r#"{"content":["This field is required."],"user":["A valid integer is required."]}"#,
            "content: This field is required. user: A valid integer is required.",
        ),
        (r#"{"non_field_errors":["No."]}"#, "No."),
        (r#"["No."]"#, "No."),
        (r#"{"source_context":{"name":["Too long."]}}"#, "source_context.name: Too long."),
        (r#"{"source_context":{"non_field_errors":["No."]}}"#, "source_context: No."),
        ("{\"detail\":\"two\\nlines\\u0000 \"}", "two lines"),
        ("\u{feff}{\"detail\": \"Too long\"}\n", "Too long"),
        ("<!DOCTYPE html><html><head>\n<TITLE lang=en>\n 502: Bad\n gateway</TITLE>…", "502: Bad gateway"),
        ("\u{feff}\n<title>Bad gateway</title>", "Bad gateway"),
        ("<html>no title", ""),
    ] {
        assert_eq!(words(body.as_bytes()), expected, "{body}");
    }
}

#[test]
fn characters_that_change_how_others_show_are_left_out() {
    for odd in [
        "\u{ad}",
        "\u{200b}",
        "\u{200f}",
        "\u{202e}",
        "\u{2060}",
        "\u{2066}",
        "\u{2069}",
        "\u{feff}",
        "\u{e0041}",
        "\u{e007f}",
    ] {
        assert_eq!(words(format!("{{\"detail\":\"{odd}a{odd}{odd}b {odd} c{odd}\"}}").as_bytes()), "ab c", "{odd:?}");
        assert_eq!(words(format!("<title>{odd}a{odd}b</title>").as_bytes()), "ab", "{odd:?}");
    }
    assert_eq!(words("{\"detail\":\"a\\u001b[1mb\u{2028}c\u{7f}d\u{85}e\"}".as_bytes()), "a [1mb c d e");
}

#[test]
fn garbled_words_are_compared_as_they_came() {
    let content = "Привет, Иван Иванович";
    let latin_1: String = content.bytes().map(char::from).collect();
    let answer = |body: String| Answer { status: 400, body: body.into(), ..Answer::default() };
    for body in [serde_json::json!({ "detail": latin_1 }).to_string(), format!("<title>{latin_1}</title>")] {
        assert_eq!(of_answer(&answer(body), &Secrets { content, ..NONE }), "");
    }
    let soft = "íííííííí";
    let latin_1: String = soft.bytes().map(char::from).collect();
    let body = serde_json::json!({ "detail": latin_1 }).to_string();
    assert_eq!(of_answer(&answer(body), &Secrets { content: soft, ..NONE }), "");
}

#[test]
fn what_is_neither_json_nor_a_page_gives_no_words() {
    for body in [
        &b"upstream gone\n"[..],
        b"content \"Hi \\u003cb\\u003e\" refused",
        b"{\"detail\":\"cut",
        b"\xff\xfe<\0t\0i\0t\0l\0e\0>\0",
        b"\xfe\xff\0{\0}",
        b"\x01\x02",
        b"\xff\xfe",
    ] {
        assert_eq!(words(body), "", "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn an_encoded_body_gives_no_words() {
    let body = b"{\"detail\":\"Invalid token.\"}".to_vec();
    let answer = Answer { status: 401, body, content_encoded: true, ..Answer::default() };
    assert_eq!(of_answer(&answer, &NONE), "");
}

#[test]
fn the_json_of_a_success_gives_no_words() {
    let body = b"{\"id\":7,\"message\":\"Hi\"}".to_vec();
    assert_eq!(of_answer(&Answer { status: 201, body, ..Answer::default() }, &NONE), "");
}

#[test]
fn an_echo_of_the_request_gives_no_words() {
    for body in [
        r#"{"content":"Hi","source_context":{"name":"Ada","errors":"Ada"}}"#,
        r#"{"data":{"content":"Hi"}}"#,
        r#"{"Hi <b>you</b>":["is not plain"]}"#,
        r#"{"":["x"]}"#,
    ] {
        assert_eq!(words(body.as_bytes()), "", "{body}");
    }
    let long = format!("{{\"{}\":[\"x\"],\"field\":[\"{}\"]}}", "n".repeat(65), "x".repeat(301));
    assert_eq!(words(long.as_bytes()), "");
}

#[test]
fn a_long_text_is_bounded() {
    let words = words(format!("{{\"detail\":\"{}\"}}", "ż".repeat(100_000)).as_bytes());
    assert_eq!(words.chars().count(), LONGEST + 1);
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    assert_eq!(words("[".repeat(50_000).as_bytes()), "");
    assert_eq!(words(format!("{}{}", "[".repeat(30_000), "]".repeat(30_000)).as_bytes()), "");
}

#[test]
fn the_conversations_id_is_the_top_levels() {
    for body in
        ["{\"id\":89,\"user\":{\"id\":322842}}", "{\"user\":{\"id\":1},\"\\u0069d\": 89 }", "\u{feff} {\"id\":89}\n"]
    {
        assert_eq!(conversation_id(body.as_bytes()), Some(89), "{body}");
    }
    for none in [
        "",
        "{}",
        "{\"id\":\"89\"}",
        "{\"id\":89.5}",
        "{\"id\":1e2}",
        "{\"id\":null}",
        "[1]",
        "{\"a\":{\"id\":89}}",
        "89",
    ] {
        assert_eq!(conversation_id(none.as_bytes()), None, "{none}");
    }
    assert_eq!(conversation_id(b"{\"id\":-9223372036854775808}"), Some(i64::MIN));
    assert_eq!(conversation_id(b"{\"id\":9223372036854775808}"), None);
}

#[test]
fn the_conversations_id_survives_other_fields_that_are_odd() {
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    for odd in [
        r#""\ud800":1"#,
        r#""a":"\udc00\ud800""#,
        r#""a":1e999,"b":-1e-999"#,
        r#""a":123456789012345678901234567890"#,
        r#""a":1,"a":2"#,
        &format!("\"a\":{deep}"),
        &format!("\"a\":{}", "{\"b\":".repeat(50_000) + "1" + &"}".repeat(50_000)),
    ] {
        assert_eq!(conversation_id(format!("{{{odd},\"id\":89}}").as_bytes()), Some(89), "{odd:.40}");
        assert_eq!(conversation_id(format!("{{\"id\":89,{odd}}}").as_bytes()), Some(89), "{odd:.40}");
    }
    assert_eq!(conversation_id(b"{\"\xff\":\"\x80\xc5\",\"id\":89}"), Some(89));
}

#[test]
fn the_conversations_id_counts_where_the_body_was_cut_after_it() {
    for cut in [
        "{\"id\":89,\"user\":{\"na",
        "{\"id\":89,",
        "{\"id\":89, \"a\":12",
        "{\"id\":89,\"te",
        "{\"id\":89,\"a\":\"\\u00",
    ] {
        assert_eq!(conversation_id(cut.as_bytes()), Some(89), "{cut}");
    }
    for cut in ["{\"id\":89", "{\"id\":-", "{\"id\":", "{\"id", "{"] {
        assert_eq!(conversation_id(cut.as_bytes()), None, "{cut}");
    }
}
