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
fn escapes_in_the_content_match_plain_words() {
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
    // Long chains of escapes and open tags, which a bad algorithm would read again and again.
    for unit in ["&amp;", "\\", "&", "%25", "<", "<b", "\\u005c", "ż"] {
        let content = unit.repeat(100_000 / unit.len());
        assert!(!shows(&content, "Something else altogether"), "{unit}");
    }
}

/// Contents in many scripts, each longer than a run.
const TEXTS: [&str; 10] = [
    "Your invoice 4711 over 300 EUR is due, dear Johnathan",
    "Уважаемый Иван, ваш счёт на триста рублей просрочен",
    "Αγαπητέ Γιώργο, ο λογαριασμός σου έληξε χθες",
    "尊敬的王小明先生您的发票已经逾期请尽快付款谢谢",
    "김철수님 귀하의 청구서가 연체되었습니다 감사합니다",
    "עזיזי דני היקר החשבונית שלך באיחור",
    "𝐘𝐨𝐮𝐫 𝐢𝐧𝐯𝐨𝐢𝐜𝐞 𝟒𝟕𝟏𝟏 𝐢𝐬 𝐝𝐮𝐞",
    "🎉🎂🎁🥳💐🍾🎈🎊🕯\u{fe0f}🍰",
    "👩\u{200d}💻👨\u{200d}👩\u{200d}👧 👍🏽👋🏿🤝🏻",
    "𠮷野家𡈽𡌛𡑮𡢽𠮟𡚴𡸴𣇄𣗄",
];

/// `text` with each character, or each half of a surrogate pair, escaped.
fn escaped(text: &str, escape: impl Fn(u32) -> String) -> String {
    text.chars().map(|letter| escape(letter as u32)).collect()
}

fn in_halves(text: &str, escape: impl Fn(u16) -> String) -> String {
    text.encode_utf16().map(escape).collect()
}

fn in_bytes(text: &str, escape: impl Fn(u8) -> String) -> String {
    text.bytes().map(escape).collect()
}

#[test]
fn every_script_is_seen_in_every_escape() {
    for text in TEXTS {
        for echo in [
            text.to_owned(),
            text.to_uppercase(),
            text.to_lowercase(),
            text.chars().flat_map(|letter| [letter, '\u{200b}']).collect(),
            in_halves(text, |half| format!("\\u{half:04x}")),
            in_halves(text, |half| format!("\\\\u{half:04X}")),
            in_halves(text, |half| format!("\\\\\\\\u{half:04X}")),
            in_halves(text, |half| format!("%u{half:04X}")),
            in_halves(text, |half| format!("&#{half};")),
            escaped(text, |number| format!("\\u{{{number:x}}}")),
            escaped(text, |number| format!("\\u{{{number:08X}}}")),
            escaped(text, |number| format!("\\U{number:08x}")),
            escaped(text, |number| format!("&#{number};")),
            escaped(text, |number| format!("&#{number:010};")),
            escaped(text, |number| format!("&#{number:0300};")),
            escaped(text, |number| format!("&#x{number:08X};")),
            escaped(text, |number| format!("&amp;#X{number:012x};")),
            escaped(text, |number| format!("&#{number} ")),
            escaped(text, |number| format!("&#{number}")),
            escaped(text, |number| format!("&#x{number:x}")),
            in_bytes(text, |byte| format!("%{byte:02x}")),
            in_bytes(text, |byte| format!("%25{byte:02X}")),
            in_bytes(text, |byte| format!("\\x{byte:02x}")),
            in_bytes(text, |byte| format!("\\{byte:03o}")),
            in_bytes(text, |byte| format!("\\\\{byte:03o}")),
        ] {
            assert!(shows(text, &format!("Bad: {echo}")), "{echo}");
        }
    }
}

#[test]
fn a_text_read_as_another_encoding_is_seen() {
    for text in
        TEXTS.into_iter().filter(|text| !text.is_ascii()).chain(["Grüße für Jürgen Müßiggänger", "ça déjà été là"])
    {
        let latin_1: String = text.bytes().map(char::from).collect();
        assert!(shows(text, &format!("Bad: {latin_1}")), "{latin_1}");
        // Windows-1252 leaves some bytes undefined.
        const OWN: &str = "€�‚ƒ„…†‡ˆ‰Š‹Œ�Ž��‘’“”•–—˜™š›œ�žŸ";
        let windows = |byte: u8| OWN.chars().nth(usize::from(byte.wrapping_sub(0x80))).unwrap_or(char::from(byte));
        let windows_1252: String = text.bytes().map(windows).collect();
        assert!(shows(text, &windows_1252), "{windows_1252}");
    }
    assert!(!shows("Grüße für Jürgen", "Pole wymagane: żółć"));
}

#[test]
fn words_in_which_letters_were_lost_are_redacted() {
    for lost in [
        "&Alpha;&gamma;&alpha;&pi;",
        "&amp;Alpha; &amp;gamma; &amp;frac12;",
        "\u{fffd}\u{fffd}\u{fffd}",
        "%E9%E8%EA",
        "Ð\u{9f}Ñ\u{80}Ð\u{98}",
    ] {
        assert!(shows("Something else altogether", lost), "{lost}");
    }
    // The content has HTML names, and the words have the letters.
    assert!(shows("&Alpha;&gamma;&alpha;&pi;&eta;", "Αγαπη"));
    for kept in [
        "Bad gateway &copy; Example",
        "a &lt;b&gt; &amp; &quot;c&quot;&nbsp;&apos;",
        "Passerelle d\u{fffd}faillante",
        "R&D; A&B; x;",
    ] {
        assert!(!shows("Something else altogether", kept), "{kept}");
    }
    assert!(!shows("&Alpha;&gamma;&alpha;&pi;&eta;", "Invalid token."));
}

#[test]
fn words_that_were_escaped_too_often_are_redacted() {
    let mut echo = "<b>user</b>".to_owned();
    for depth in 0..20 {
        assert!(shows(CONTENT, &format!("Hi {echo}")), "{depth}");
        echo = echo.replace('&', "&amp;").replace('<', "&lt;");
    }
}

#[test]
fn a_content_is_seen_as_base64_at_each_place_in_a_group() {
    let context = r#"{"name":"Johnathan Appleseed"}"#;
    for text in TEXTS.into_iter().chain(["739215!", context]) {
        let secrets = if text == context {
            Secrets { api_key: "", content: "Hi", source_context: Some(text) }
        } else {
            Secrets { api_key: "", content: text, source_context: None }
        };
        for around in ["", "a", "ab"] {
            let echo = STANDARD_NO_PAD.encode(format!("{around}{text}{around}"));
            assert!(secrets.show_in(&format!("data:text/plain;base64,{echo}==")), "{echo}");
        }
    }
    let long = "Hi there. ".repeat(MOST_IN_BASE64 / 10);
    assert!(shows(&long, &STANDARD_NO_PAD.encode(&long)[2_000..2_020]));
}

#[test]
fn a_short_content_is_looked_for_as_a_whole() {
    for content in ["739215", "Kod4711", "Hi Bob!", "4711", "PIN 4711", "да да", "你好", "🎉🎂", "Ну!?"] {
        for echo in [
            content.to_owned(),
            format!("\"{content}\" is bad"),
            content.to_uppercase(),
            escaped(content, |n| format!("&#{n};")),
        ] {
            assert!(shows(content, &echo), "{echo}");
        }
        assert!(!shows(content, "content: This field may not be blank."), "{content}");
        assert!(!shows(content, "Nie znaleziono użytkownika 47"), "{content}");
    }
}

/// Searches the memory of this process: freed memory that was not wiped still holds its old bytes.
#[cfg(target_os = "linux")]
#[test]
fn no_copy_of_the_key_is_left_in_memory() {
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt as _;

    // The copies to search for. This test keeps them only with each bit inverted, so that it does not find itself.
    const TURNED: u8 = 0xff;
    let letter = |n: usize| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[(37 * n + 11) % 64];
    let mut key = Zeroizing::new(String::with_capacity(64));
    key.extend((0..64).map(|n| char::from(letter(n))));
    let lower: Vec<u8> = key.bytes().skip(30).take(20).map(|byte| byte.to_ascii_lowercase() ^ TURNED).collect();
    let base64: Vec<u8> = (30..48)
        .step_by(3)
        .flat_map(|at| {
            let group = Zeroizing::new(STANDARD_NO_PAD.encode(&key.as_bytes()[at..at + 3]));
            group.bytes().map(|byte| byte ^ TURNED).collect::<Vec<_>>()
        })
        .collect();
    let plain: Vec<u8> = key.bytes().skip(30).take(20).map(|byte| byte ^ TURNED).collect();

    let secrets = Secrets { api_key: &key, content: "Hi", source_context: None };
    for _ in 0..20 {
        assert!(!secrets.show_in("Something <b>else</b> altogether &amp; more"));
    }
    let (memory, maps) = (File::open("/proc/self/mem").unwrap(), fs::read_to_string("/proc/self/maps").unwrap());
    let mut found = Vec::new();
    let mut part = vec![0; 1 << 20];
    for map in maps.lines().filter(|map| map.contains(" rw-p ") && (map.contains("[heap]") || !map.contains('/'))) {
        let (from, to) = map.split_once(' ').unwrap().0.split_once('-').unwrap();
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        // Skip the stack of this thread: nothing there was freed.
        if (from..to).contains(&(&raw const found as u64)) {
            continue;
        }
        let mut at = from;
        while at < to {
            let length = part.len().min((to - at) as usize);
            if memory.read_exact_at(&mut part[..length], at).is_err() {
                break;
            }
            part[..length].iter_mut().for_each(|byte| *byte ^= TURNED);
            for (name, copy) in [("lower", &lower), ("base64", &base64), ("plain", &plain)] {
                found.extend(memchr::memmem::find_iter(&part[..length], copy).map(|place| (name, at + place as u64)));
            }
            at += length as u64;
        }
    }
    // Ignore the key itself, and the buffer of this test, which inverts the inverted copies back.
    let (own, read) = (key[30..].as_ptr() as u64, part.as_ptr() as u64);
    found.retain(|(_, place)| *place != own && !(read..read + part.len() as u64).contains(place));
    assert_eq!(found, []);
}
