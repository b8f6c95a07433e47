//! The head of an answer, without what nobody reads.

use memchr::memchr;

/// The fields that ureq or this library reads.
const READ: [&str; 6] =
    ["cf-ray", "connection", "content-encoding", "content-length", "content-type", "transfer-encoding"];
/// Those that say something of an answer that is no success.
const READ_OF_FAILURES: [&str; 3] = ["location", "retry-after", "server"];

/// What HTTP/1.1 does unless it is told otherwise.
const KEEP_ALIVE: &[u8] = b"connection: keep-alive";

/// The most runs of lines that are left out.
const MOST_RUNS: usize = 16;

/// Takes the fields that nobody reads (cookies, caching, policies) out of the head that `bytes` begin with, and returns how
/// many bytes are left.
///
/// Of each field ureq makes an owned name, an owned value and a place in a map, at the cost of some 1,200 instructions; a
/// service behind Cloudflare sends a dozen. A head that is not whole, or that has a line which is no plain field, stays as
/// it came: whether that is HTTP is for ureq to judge.
pub(super) fn leave_out_unread(bytes: &mut [u8]) -> usize {
    let mut runs = [(0, 0); MOST_RUNS];
    let Some(count) = find_unread(bytes, &mut runs) else {
        return bytes.len();
    };
    let (mut left, mut from) = (0, 0);
    for (start, end) in runs[..count].iter().copied().chain([(bytes.len(), bytes.len())]) {
        bytes.copy_within(from..start, left);
        left += start - from;
        from = end;
    }
    left
}

/// Where the lines stand that nobody reads, and in how many runs.
fn find_unread(bytes: &[u8], runs: &mut [(usize, usize); MOST_RUNS]) -> Option<usize> {
    let is_success = bytes.starts_with(b"HTTP/1.1 2");
    let (mut at, mut count) = (0, 0);
    loop {
        let length = memchr(b'\n', &bytes[at..])? + 1;
        let line = bytes[at..at + length].strip_suffix(b"\r\n")?;
        if line.is_empty() {
            return Some(count);
        }
        if at > 0 && !is_read(line, is_success)? {
            match count.checked_sub(1).map(|last| &mut runs[last]) {
                Some((_, end)) if *end == at => *end = at + length,
                _ => {
                    *runs.get_mut(count)? = (at, at + length);
                    count += 1;
                }
            }
        }
        at += length;
    }
}

/// Whether anybody reads the field of this line; `None` when it is no plain field.
fn is_read(line: &[u8], of_success: bool) -> Option<bool> {
    let name = &line[..memchr(b':', line)?];
    let has_name = |names: &[&str]| names.iter().any(|read| read.as_bytes().eq_ignore_ascii_case(name));
    if of_success && line.eq_ignore_ascii_case(KEEP_ALIVE) {
        return Some(false);
    }
    if has_name(&READ) || !of_success && has_name(&READ_OF_FAILURES) {
        return Some(true);
    }
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(head: &str) -> String {
        let mut bytes = head.as_bytes().to_vec();
        let length = leave_out_unread(&mut bytes);
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn what_is_read_stays_and_the_rest_goes() {
        assert_eq!(
            left(
                "HTTP/1.1 201 Created\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n\
                 Set-Cookie: a=b; path=/\r\nVary: Accept\r\nSERVER: cloudflare\r\nCF-RAY: 1-FRA\r\nContent-Length: 8\r\n\
                 X-Last: 1\r\n\r\n{\"id\":1}"
            ),
            "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nCF-RAY: 1-FRA\r\nContent-Length: 8\r\n\r\n{\"id\":1}"
        );
    }

    #[test]
    fn every_field_that_is_read_stays() {
        for status in ["1.1 201", "1.1 303", "1.1 503", "1.0 200"] {
            for name in READ {
                let head = format!("HTTP/{status} X\r\n{name}: 1\r\n\r\n");
                assert_eq!(left(&head), head);
            }
        }
    }

    #[test]
    fn what_is_read_of_failures_goes_from_a_success() {
        for name in READ_OF_FAILURES {
            for status in ["1.1 199", "1.1 303", "1.1 429", "1.1 503", "1.0 503"] {
                let head = format!("HTTP/{status} X\r\n{name}: 1\r\n\r\n");
                assert_eq!(left(&head), head);
            }
            assert_eq!(left(&format!("HTTP/1.1 201 X\r\n{name}: 1\r\n\r\n")), "HTTP/1.1 201 X\r\n\r\n");
        }
    }

    #[test]
    fn keep_alive_goes_where_it_says_nothing() {
        assert_eq!(left("HTTP/1.1 201 X\r\nConnection: keep-alive\r\n\r\n"), "HTTP/1.1 201 X\r\n\r\n");
        for told in ["HTTP/1.0 201 X\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 201 X\r\nConnection: close\r\n\r\n"]
        {
            assert_eq!(left(told), told);
        }
    }

    #[test]
    fn the_body_and_a_second_head_stay() {
        let rest = "HTTP/1.1 201 Created\r\nDate: x\r\n\r\nDate: y\r\n\r\n";
        assert_eq!(
            left(&format!("HTTP/1.1 100 Continue\r\n\r\n{rest}")),
            format!("HTTP/1.1 100 Continue\r\n\r\n{rest}")
        );
        assert_eq!(left(rest), "HTTP/1.1 201 Created\r\n\r\nDate: y\r\n\r\n");
    }

    #[test]
    fn what_is_not_a_whole_head_of_plain_fields_stays_as_it_came() {
        for head in [
            "",
            "\r\n",
            "HTTP/1.1 201 Created",
            "HTTP/1.1 201 Created\r\nDate: x\r\n",
            "HTTP/1.1 201 Created\r\nDate: x\r\n\r",
            "HTTP/1.1 201 Created\nDate: x\n\n",
            "HTTP/1.1 201 Created\r\nDate: x\r\nno field\r\n\r\n",
            "HTTP/1.1 201 Created\r\nDate: x\r\n folded: on\r\n\r\n",
            "HTTP/1.1 201 Created\r\nDate: x\r\n: no name\r\n\r\n",
            "HTTP/1.1 201 Created\r\nDate: x\r\nSpace : y\r\n\r\n",
            "<html>\r\nDate: x\r\n<p>\r\n\r\n",
        ] {
            assert_eq!(left(head), head);
        }
        let many = format!("HTTP/1.1 201 Created\r\n{}\r\n", "Date: x\r\nCf-Ray: y\r\n".repeat(MOST_RUNS + 1));
        assert_eq!(left(&many), many);
    }
}
