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
