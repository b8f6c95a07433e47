//! The beginning of a message as plain text, for lists.

/// The text of some HTML: no tags, no scripts, white space folded, at most `length` characters.
pub(crate) fn preview(html: &str, length: usize) -> String {
    let mut text = String::new();
    let mut count = 0;
    let mut rest = html;
    let mut gap = false;
    while count < length {
        let Some(first) = rest.chars().next() else { break };
        if first == '<'
            && rest[1..].starts_with(|next: char| next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?'))
        {
            gap |= !is_inline(rest);
            rest = after_tag(rest);
            continue;
        }
        let (character, used) = if first == '&' { entity(rest) } else { (first, first.len_utf8()) };
        rest = &rest[used..];
        if character.is_whitespace() || character.is_control() {
            gap = true;
            continue;
        }
        if gap && !text.is_empty() {
            text.push(' ');
            count += 1;
        }
        gap = false;
        text.push(character);
        count += 1;
    }
    text
}

/// Whether a tag is inline, as `b` is, and does not separate words.
fn is_inline(tag: &str) -> bool {
    let name = tag[1..].trim_start_matches('/');
    let end = name.find(|next: char| !next.is_ascii_alphanumeric()).unwrap_or(name.len());
    let inline =
        ["a", "abbr", "b", "code", "em", "font", "i", "mark", "s", "small", "span", "strong", "sub", "sup", "u"];
    inline.iter().any(|known| name[..end].eq_ignore_ascii_case(known))
}

/// The text after a tag. For `script` and `style`, the text after their end tag.
fn after_tag(html: &str) -> &str {
    if let Some(comment) = html.strip_prefix("<!--") {
        return comment.find("-->").map_or("", |end| &comment[end + 3..]);
    }
    let after = html.find('>').map_or("", |end| &html[end + 1..]);
    for name in ["script", "style", "title"] {
        let opens = html.get(1..1 + name.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(name));
        if opens && html[1 + name.len()..].starts_with(|next: char| !next.is_ascii_alphanumeric()) {
            let end = format!("</{name}");
            let place = after
                .char_indices()
                .find(|(at, _)| after.get(*at..at + end.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(&end)));
            return place.map_or("", |(at, _)| &after[at..]);
        }
    }
    after
}

/// The character for a common entity `&...;`, and the length of the entity.
fn entity(html: &str) -> (char, usize) {
    let end = html.bytes().take(10).position(|byte| byte == b';');
    let known = end.and_then(|end| {
        let character = match &html[1..end] {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            "nbsp" => ' ',
            number => {
                let digits = number.strip_prefix('#')?;
                let code = match digits.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => digits.parse().ok()?,
                };
                char::from_u32(code)?
            }
        };
        Some((character, end + 1))
    });
    known.unwrap_or(('&', 1))
}

#[cfg(test)]
mod tests {
    use super::preview;

    #[test]
    fn tags_go_and_their_text_stays() {
        for (html, text) in [
            ("Hi <b>user</b>, enjoy our product!", "Hi user, enjoy our product!"),
            ("<p>one</p>\n\n<p>two</p>", "one two"),
            ("a < b &amp;&lt; c &#233;&#x41; &bogus; &", "a < b &< c éA &bogus; &"),
            ("<script>alert(1)</script>safe<STYLE>b{}</style >", "safe"),
            ("<!-- a > b -->x<!-- never ends", "x"),
            ("<script>never ends", ""),
            ("<scripty>text", "text"),
            ("é<br>ü<i>!</i>", "é ü!"),
        ] {
            assert_eq!(preview(html, 100), text, "{html}");
        }
    }

    #[test]
    fn it_ends_at_its_length_whatever_follows() {
        assert_eq!(preview(&"ä".repeat(1000), 140).chars().count(), 140);
        assert_eq!(preview(&"<b>".repeat(1000), 140), "");
    }
}
