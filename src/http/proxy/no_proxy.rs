//! `NO_PROXY`, the list of hosts that are reached without a proxy, read as in libcurl. No I/O.

use std::net::IpAddr;

/// Whether the list `no_proxy` excepts `host:port`. The host is in the form that it has in a URL.
///
/// Commas and blanks separate the entries. An entry is `*`, a name (its subdomains match too), an address, or a network
/// (`10.0.0.0/8`). A name or an address may have a port. A host that is an address is matched only by `*`, addresses
/// and networks. Any other entry matches nothing.
pub(super) fn is_excepted(no_proxy: &str, host: &str, port: u16) -> bool {
    let target = Target::of(host);
    let mut entries = no_proxy.split(|letter: char| letter == ',' || letter.is_ascii_whitespace());
    entries.any(|entry| !entry.is_empty() && excepts(entry, &target, port))
}

enum Target<'a> {
    Address(IpAddr),
    /// A name that the system reads as an address (`127.1`, `0x7f.0.0.1`). It is not decoded here.
    Number(&'a str),
    Name(&'a str),
}

impl<'a> Target<'a> {
    fn of(host: &'a str) -> Self {
        let name = host.strip_suffix('.').unwrap_or(host);
        let last_label = name.rsplit('.').next().unwrap_or_default();
        match address(host) {
            Some(address) => Target::Address(address),
            None if is_number(last_label) => Target::Number(host),
            None => Target::Name(name),
        }
    }
}

fn excepts(entry: &str, target: &Target<'_>, port: u16) -> bool {
    if let Some((network, bits)) = entry.split_once('/') {
        let Target::Address(host) = target else { return false };
        return address(network).is_some_and(|network| is_in(*host, network, bits));
    }
    let (entry, its_port) = match entry.rsplit_once(':') {
        Some((entry, port)) if !entry.contains(':') || entry.ends_with(']') => (entry, Some(port)),
        _ => (entry, None), // for example an IPv6 address without brackets
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if its_port.is_some_and(|its| !is_digits(its) || its.parse() != Ok(port)) {
        return false;
    }
    match *target {
        _ if entry == "*" => true,
        Target::Address(host) => address(entry) == Some(host),
        Target::Number(host) => entry.eq_ignore_ascii_case(host),
        Target::Name(host) => {
            let entry = entry.strip_suffix('.').unwrap_or(entry);
            let entry = entry.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(entry);
            is_within(host, entry.strip_prefix('.').unwrap_or(entry))
        }
    }
}

/// Whether the system reads a name with the last label `label` as an address.
fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x").or_else(|| label.strip_prefix("0X")) {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// Parses an IP address. IPv6 may be in brackets.
fn address(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(text) => text.parse().ok().filter(IpAddr::is_ipv6),
        None => text.parse().ok(),
    }
}

/// Whether the first `bits` bits of `host` and `network` are the same. As in libcurl, 0 means all bits.
fn is_in(host: IpAddr, network: IpAddr, bits: &str) -> bool {
    let (host, network, width) = match (host, network) {
        (IpAddr::V4(host), IpAddr::V4(network)) => (host.to_bits().into(), network.to_bits().into(), 32),
        (IpAddr::V6(host), IpAddr::V6(network)) => (host.to_bits(), network.to_bits(), 128),
        _ => return false,
    };
    let differing: u128 = host ^ network;
    match bits.parse::<u32>() {
        Ok(0) => differing == 0,
        Ok(count) if count <= width && !bits.starts_with('+') => differing.checked_shr(width - count).unwrap_or(0) == 0,
        _ => false,
    }
}

/// Whether `host` is `domain` or a subdomain of it.
fn is_within(host: &str, domain: &str) -> bool {
    let (host, domain) = (host.as_bytes(), domain.as_bytes());
    let Some(before) = host.len().checked_sub(domain.len()) else { return false };
    !domain.is_empty() && host[before..].eq_ignore_ascii_case(domain) && (before == 0 || host[before - 1] == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, port: u16, cases: &[(&str, bool)]) {
        for (list, excepted) in cases {
            assert_eq!(is_excepted(list, host, port), *excepted, "{host}:{port} in {list:?}");
        }
    }

    #[test]
    fn no_proxy_excepts_hosts_domains_and_everything() {
        let cases = [
            ("", false),
            ("app.userengage.com", true),
            (" APP.userengage.com ,x", true),
            ("userengage.com", true),
            (".userengage.com", true),
            ("*.userengage.com", true),
            ("*", true),
            ("x, *", true),
            ("engage.com", false),
            ("pp.userengage.com", false),
            (",", false),
            ("userengage.com.", true),
            (".userengage.com.", true),
            ("app.userengage.com.", true),
            ("x userengage.com y", true),
            ("x\tuserengage.com", true),
            ("x ,, ,userengage.com", true),
            ("xuserengage.com", false),
            ("com", true),
            (".", false),
            ("..", false),
            ("*.", false),
            ("*userengage.com", false),
            ("app.userengage.com.x", false),
            ("[app.userengage.com]", false),
            ("x.app.userengage.com", false),
            ("ąpp.userengage.com", false),
        ];
        check("app.userengage.com", 443, &cases);
        check("APP.userengage.COM.", 443, &cases);
    }

    #[test]
    fn an_entry_with_a_port_excepts_that_port_alone() {
        check(
            "app.userengage.com",
            443,
            &[
                ("userengage.com:443", true),
                (".userengage.com:443", true),
                ("userengage.com.:443", true),
                ("userengage.com:0443", true),
                ("*:443", true),
                ("userengage.com:80", false),
                ("*:80", false),
                ("userengage.com:", false),
                ("userengage.com:x", false),
                ("userengage.com:+443", false),
                ("userengage.com:65979", false),
                ("userengage.com:443:443", false),
                (":443", false),
            ],
        );
        check("127.0.0.1", 8443, &[("127.0.0.1:8443", true), ("127.0.0.1:443", false), ("127.0.0.1:", false)]);
        check(
            "[::1]",
            8080,
            &[("[::1]:8080", true), ("[::1]:443", false), ("[::1]:", false), ("::1:8080", false), ("[::1", false)],
        );
    }

    #[test]
    fn an_address_is_excepted_by_addresses_and_networks_never_by_a_suffix() {
        check(
            "1.2.3.4",
            443,
            &[
                ("1.2.3.4", true),
                ("x 1.2.3.4,", true),
                ("*", true),
                ("3.4", false),
                (".4", false),
                ("4", false),
                (".3.4", false),
                ("*.3.4", false),
                (".1.2.3.4", false),
                ("1.2.3.4.", false),
                ("[1.2.3.4]", false),
                ("::ffff:1.2.3.4", false),
                ("1.2.3.0/24", true),
                ("1.2.3.5/31", true),
                ("1.0.0.0/8", true),
                ("1.2.3.4/32", true),
                ("129.2.3.4/1", false),
                ("1.2.3.5/32", false),
                ("1.2.4.0/24", false),
                ("1.2.3.4/0", true),
                ("0.0.0.0/0", false),
                ("1.2.3.4/33", false),
                ("1.2.3.4/", false),
                ("1.2.3.4/-1", false),
                ("1.2.3.4/+8", false),
                ("1.2.3.4/8x", false),
                ("1.2.3.4/8/8", false),
                ("1.2.3.0/24:443", false),
                ("1.2/16", false),
                ("/8", false),
                ("1.2.3.256/8", false),
                ("102:304::/8", false),
            ],
        );
        check(
            "[fd00::1:2]",
            443,
            &[
                ("fd00::1:2", true),
                ("[fd00::1:2]", true),
                ("FD00:0:0:0:0:0:1:2", true),
                ("fd00::/8", true),
                ("[fd00::]/8", true),
                ("fd00::1:3/127", true),
                ("fd00::1:0/112", true),
                ("fd00::1:2/128", true),
                ("fd00::1:2/129", false),
                ("fe00::/8", false),
                ("::/0", false),
                ("1:2", false),
                (":2", false),
                ("2", false),
                ("fd00::1:2.", false),
            ],
        );
        check("[::1]", 443, &[("0:0:0:0:0:0:0:1", true), ("127.0.0.1", false), ("::2", false)]);
        check("[::ffff:1.2.3.4]", 443, &[("::ffff:102:304", true), ("1.2.3.4", false), ("::ffff:0:0/96", true)]);
    }

    #[test]
    fn a_name_that_the_system_reads_as_an_address_is_excepted_by_itself_alone() {
        for host in ["127.1", "0x7f.0.0.0x1", "2130706433", "1.2.3.4.", "10.0.1"] {
            let last = host.trim_end_matches('.').rsplit('.').next().unwrap();
            let cases = [(host, true), ("*", true), (&format!(".{last}"), false), ("10.0.0.0/8", false), (".1", false)];
            check(host, 443, &cases);
        }
    }
}
