//! The error texts of Python's `json`. The service passes them on to its clients.

/// The error of Python's `json.loads` for a body that is not strict JSON. `None` if it would accept it.
pub(crate) fn complaint(body: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            return Some(format!(
                "'utf-8' codec can't decode byte {:#04x} in position {at}: invalid start byte",
                body[at]
            ));
        }
    };
    if text.starts_with('\u{feff}') {
        return Some("Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)".to_owned());
    }
    let mut reader = Reader { text: text.as_bytes(), at: 0 };
    let outcome = reader.document();
    outcome.err().map(|complaint| match complaint {
        Complaint::Syntax(what, at) => {
            let before = &text[..at];
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            let line = before.matches('\n').count() + 1;
            let column = before[line_start..].chars().count() + 1;
            format!("{what}: line {line} column {column} (char {})", before.chars().count())
        }
        Complaint::Constant(name) => format!("Out of range float values are not JSON compliant: '{name}'"),
        Complaint::Depth => {
            "maximum recursion depth exceeded while decoding a JSON array from a unicode string".to_owned()
        }
    })
}

enum Complaint {
    /// The error and its byte offset.
    Syntax(&'static str, usize),
    /// `NaN` or an infinity: DRF refuses them.
    Constant(&'static str),
    Depth,
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

type Outcome = Result<(), Complaint>;

impl Reader<'_> {
    fn document(&mut self) -> Outcome {
        self.space();
        self.value(0)?;
        self.space();
        if self.at < self.text.len() { Err(Complaint::Syntax("Extra data", self.at)) } else { Ok(()) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Outcome {
        if depth > 900 {
            return Err(Complaint::Depth);
        }
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Outcome {
        for word in ["null", "true", "false"] {
            if self.text[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(());
            }
        }
        for name in ["NaN", "Infinity", "-Infinity"] {
            if self.text[self.at..].starts_with(name.as_bytes()) {
                return Err(Complaint::Constant(name));
            }
        }
        Err(Complaint::Syntax("Expecting value", self.at))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    /// Takes the longest number that starts here, as Python's regular expression does. The caller checks what follows.
    fn number(&mut self) -> Outcome {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else if self.digits() == 0 {
            self.at = start;
            return self.word();
        }
        let whole = self.at;
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                self.at = whole;
                return Ok(());
            }
        }
        let before_exponent = self.at;
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                self.at = before_exponent;
            }
        }
        Ok(())
    }

    fn string(&mut self) -> Outcome {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(Complaint::Syntax("Unterminated string starting at", start)),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape(start)?,
                Some(0..=0x1f) => return Err(Complaint::Syntax("Invalid control character at", self.at)),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self, string: usize) -> Outcome {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            None => Err(Complaint::Syntax("Unterminated string starting at", string)),
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                let digits = self.text.get(self.at + 1..self.at + 5);
                if digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    self.at += 5;
                    return Ok(());
                }
                Err(Complaint::Syntax("Invalid \\uXXXX escape", self.at))
            }
            Some(_) => Err(Complaint::Syntax("Invalid \\escape", start)),
        }
    }

    fn array(&mut self, depth: usize) -> Outcome {
        self.at += 1;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            self.space();
            match self.peek() {
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b',') => self.at += 1,
                _ => return Err(Complaint::Syntax("Expecting ',' delimiter", self.at)),
            }
            self.space();
        }
    }

    fn object(&mut self, depth: usize) -> Outcome {
        self.at += 1;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(Complaint::Syntax("Expecting property name enclosed in double quotes", self.at));
            }
            self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(Complaint::Syntax("Expecting ':' delimiter", self.at));
            }
            self.at += 1;
            self.space();
            self.value(depth + 1)?;
            self.space();
            match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b',') => self.at += 1,
                _ => return Err(Complaint::Syntax("Expecting ',' delimiter", self.at)),
            }
            self.space();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn a_text_is_refused_in_pythons_words() {
        for (text, words) in [
            ("", "Expecting value: line 1 column 1 (char 0)"),
            ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
            ("{'a': 1}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
            ("{\"a\" 1}", "Expecting ':' delimiter: line 1 column 6 (char 5)"),
            ("{\"a\": 1 \"b\"}", "Expecting ',' delimiter: line 1 column 9 (char 8)"),
            ("{\n \"é\": x}", "Expecting value: line 2 column 7 (char 8)"),
            ("[1] 2", "Extra data: line 1 column 5 (char 4)"),
            ("\"abc", "Unterminated string starting at: line 1 column 1 (char 0)"),
            ("\"a\nb\"", "Invalid control character at: line 1 column 3 (char 2)"),
            ("\"\\x\"", "Invalid \\escape: line 1 column 2 (char 1)"),
            ("\"\\u12\"", "Invalid \\uXXXX escape: line 1 column 3 (char 2)"),
            ("01", "Extra data: line 1 column 2 (char 1)"),
            ("1.", "Extra data: line 1 column 2 (char 1)"),
            ("-", "Expecting value: line 1 column 1 (char 0)"),
            ("NaN", "Out of range float values are not JSON compliant: 'NaN'"),
            ("-Infinity", "Out of range float values are not JSON compliant: '-Infinity'"),
        ] {
            assert_eq!(complaint(text.as_bytes()).as_deref(), Some(words), "{text}");
        }
        assert_eq!(
            complaint(b"\"\xff\"").as_deref(),
            Some("'utf-8' codec can't decode byte 0xff in position 1: invalid start byte")
        );
    }

    #[test]
    fn json_is_taken() {
        for text in ["{}", " [1, -2.5e+3, \"\\u00e9\\ud800\"] ", "null", "{\"a\": {\"b\": []}}"] {
            assert_eq!(complaint(text.as_bytes()), None, "{text}");
        }
        assert!(complaint("[".repeat(100_000).as_bytes()).is_some());
    }
}
