//! The wings of `src` and the one direction between them: none imports a wing above it. `docs/architecture.md` tells why.

use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up. `model` is plain values, for all above it.
const WINGS: [&str; 5] = ["sys", "model", "http", "send", "capi"];

/// What each wing may import beside itself.
fn may_import(wing: &str) -> &'static [&'static str] {
    match wing {
        "model" => &["sys"],
        "http" => &["model", "sys"],
        "send" => &["model", "sys", "http"],
        "capi" => &["model", "sys", "http", "send"],
        _ => &[],
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_wing_imports_one_above_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&source, &mut found);
    assert!(found.len() > 40, "{}", found.len());
    let mut faults = Vec::new();
    for path in found {
        let within = path.strip_prefix(&source).unwrap();
        let wing = within.iter().next().unwrap().to_str().unwrap();
        if within.components().count() == 1 {
            assert_eq!(wing, "lib.rs", "a file that belongs to no wing");
            continue;
        }
        assert!(WINGS.contains(&wing), "{wing} is not a wing");
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            for after in line.split("crate::").skip(1) {
                let name: String =
                    after.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
                let is_allowed = if WINGS.contains(&name.as_str()) {
                    name == wing || may_import(wing).contains(&name.as_str())
                } else {
                    // What the crate shows to its users stands above all wings but the C API, which is a user of it.
                    wing == "capi" || name == "VERSION"
                };
                if !is_allowed && !line.trim_start().starts_with("//") {
                    faults.push(format!("{}:{}: {}", within.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn unsafe_code_stands_in_sys_and_capi_alone() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&source, &mut found);
    for path in found {
        let within = path.strip_prefix(&source).unwrap();
        if within.starts_with("sys") || within.starts_with("capi") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let has = text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("unsafe "));
        assert!(!has && !text.contains("allow(unsafe_code"), "{}", within.display());
    }
}

#[test]
fn unit_tests_lie_in_a_file_beside_their_module() {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let within: Vec<_> =
        found.iter().filter(|path| fs::read_to_string(path).unwrap().contains("mod tests {")).collect();
    assert!(within.is_empty(), "tests within their module: {within:#?}");
}
