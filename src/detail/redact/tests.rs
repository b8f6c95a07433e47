use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn shows(content: &str, words: &str) -> bool {
    Secrets { api_key: "", content, source_context: None }.show_in(words)
}

const CONTENT: &str = "Hi <b>user</b>, enjoy our \"product\" &amp; Zażółć gęślą jaźń!\nIt's 5 > 3";

#[test]
fn an_echo_is_seen_however_it_was_escaped_cut_or_re_cased() {
    for echo in [
        CONTENT,
        "content: enjoy our",
        "\"Hi <b>user</b…\" is too short",
        "ENJOY OUR PRODUCT",
        "enjoy_our-product",
        "Hi user, enjoy",
        "Hi<br>user,<br/>enjoy",
        r"Hi \u003cb\u003euser\u003c/b\u003e",
        r"Hi \\u003cb\\u003euser\\u003c\\/b\\u003e",
        r"HI \U003CB\U003EUSER\U003C/B\U003E",
        "Hi &lt;b&gt;user&lt;/b&gt;",
        "Hi &#60;b&#62;user",
        "Hi &#x3c;b&#x3E;user",
        "Hi &amp;lt;b&amp;gt;user",
        "Hi &amp;amp;#0060;b&amp;amp;#62;user",
        "Hi&nbsp;&lt;b&gt;user",
        "&quot;product&quot; &amp;amp; Za",
        "Hi%20%3Cb%3Euser",
        "Hi+%253Cb%253Euser%253C",
        r"Za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105",
        r"Za\\u017c\\u00f3\\u0142\\u0107 g\\u0119",
        "Za&#380;&#243;&#322;&#263; g&#281;",
        "Za%C5%BC%C3%B3%C5%82%C4%87 g%C4%99",
        r"b'Za\xc5\xbc\xc3\xb3\xc5\x82\xc4\x87 g\xc4\x99'",
        "ZAŻÓŁĆ GĘŚLĄ",
        r"ja\u017a\u0144!\nIt\u0027s 5",
        r"ja\u017a\u0144!\\nIt&#x27;s 5",
    ] {
        assert!(shows(CONTENT, echo), "{echo}");
    }
}

#[test]
fn what_the_content_escapes_itself_is_seen_unescaped() {
    assert!(shows("Tom&nbsp;&amp;&nbsp;Jerry&#39;s", "Tom & Jerry's"));
    assert!(shows("https://x.example/?q=caf%C3%A9%20cr%C3%A8me", "café crème"));
    assert!(shows(r"C:\new\table\rooms", r"C:\\new\\table\\rooms"));
    assert!(shows("Die große Straße", "DIE GROSSE"));
    assert!(shows("<i>une caf&eacute;t&eacute;ria</i>", "une cafétéria"));
    assert!(shows("une cafétéria", "une caf&amp;eacute;t&eacute;ria"));
    assert!(shows("une cafétéria", "une cafÃ©tÃ©ria"));
}

#[test]
fn the_services_own_words_survive_ordinary_contents() {
    for words in [
        "Request was throttled. Expected available in 3 seconds.",
        "This field is required.",
        "content: This field may not be blank. user: A valid integer is required.",
        "content: Ensure this field has no more than 5000 characters.",
        "source: \"9\" is not a valid choice.",
        "Invalid token.",
        "You do not have permission to perform this action.",
        "502: Bad gateway",
        "x.example | 521: Web server is down",
    ] {
        for content in [
            "Hi",
            "Message sent using API",
            "Hi <b>user</b>, enjoy our product!",
            "Payment is required for this field: this field is required",
            "Your token is invalid, you do not have permission to perform it",
            "<p>This!</p>",
            "no",
            "<br>",
            "👋👋👋👋👋👋👋👋",
            "Привет, мир: gate",
        ] {
            assert!(!shows(content, words), "{content} / {words}");
        }
    }
}

#[test]
fn a_content_with_few_letters_is_looked_for_as_a_whole() {
    assert!(shows("Hi <b>you</b>", "content: \"Hi <b>you</b>\" is too short."));
    assert!(shows("<p class=\"a\">Anna K.</p>", "Anna K. is unknown"));
    assert!(!shows("Hi <b>you</b>", "Hi there"));
    assert!(!shows("Hi", "Hi"));
}

#[test]
fn the_key_and_the_context_are_seen_as_well() {
    let secrets = Secrets { api_key: KEY, content: "Hi", source_context: Some(r#"{"note": "A \"quoted\" word"}"#) };
    for prefix in ["", "a", "ab", "Token "] {
        assert!(secrets.show_in(&format!("Token {}", STANDARD_NO_PAD.encode(format!("{prefix}{KEY}")))), "{prefix}");
    }
    assert!(secrets.show_in(&format!("Invalid token {}…", &KEY[20..30])));
    assert!(secrets.show_in("note: a &quot;quoted&quot; word"));
    assert!(!secrets.show_in("Invalid token."));
}

#[test]
fn a_run_is_seen_wherever_it_stands_in_a_large_content() {
    let filler = "lorem ipsum ";
    for at in
        (0..3).flat_map(|pieces| [0, 1, 5, 100].map(|more| pieces * (PIECE - OVERLAP) + PIECE - OVERLAP - 50 + more))
    {
        let mut content = filler.repeat(at / filler.len());
        content.push_str("<b>xyz</b>zy &amp;lt; wvuts");
        content.push_str(&filler.repeat(2_000));
        assert!(shows(&content, "xyzzy < wvuts"), "{at}");
        assert!(!shows(&content, "xyzzywutsvxx"), "{at}");
    }
}

#[test]
fn a_huge_content_is_read_once() {
    // Escapes without end, tags without end: what could be read again and again.
    for unit in ["&amp;", "\\", "&", "%25", "<", "<b", "\\u005c", "ż"] {
        let content = unit.repeat(100_000 / unit.len());
        assert!(!shows(&content, "Something else altogether"), "{unit}");
    }
}
