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
mod tests;
