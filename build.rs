//! Names the shared library for the linker, and makes the C headers from the code where the feature `header` asks for it.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:include={}/include", env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{}", soname());
        // A look-up that outlives its call runs in this library: dlclose() must not take the code from under it.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    #[cfg(feature = "header")]
    header::write();
}

/// The name by which programs ask for the shared library on Linux. It has what a break of the ABI raises: the major version,
/// and while that is 0 the minor one too. The rule stands here alone: the scripts read `UE_SONAME`, PHP reads `FFI_LIB`.
fn soname() -> String {
    let part = |name| env::var(format!("CARGO_PKG_VERSION_{name}")).unwrap_or_default();
    match part("MAJOR").as_str() {
        "0" => format!("libuserengage.so.0.{}", part("MINOR")),
        major => format!("libuserengage.so.{major}"),
    }
}

/// Writes to `OUT_DIR` alone: `make header` copies from there, and a test compares.
#[cfg(feature = "header")]
mod header {
    use cbindgen::{Builder, Config, ItemType};
    use std::path::PathBuf;
    use std::{env, fs};

    pub fn write() {
        let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
        println!("cargo:rerun-if-changed=cbindgen.toml");
        println!("cargo:rerun-if-changed=src/capi");
        println!("cargo:rustc-env=UE_HEADERS={}", out.display());
        let config = Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml can be read");
        fs::write(out.join("userengage.h"), generate(&root, for_c(config.clone()))).expect("OUT_DIR can be written");
        fs::write(out.join("userengage.ffi.h"), expand_enums(&generate(&root, for_php(config))))
            .expect("OUT_DIR can be written");
    }

    fn generate(root: &std::path::Path, config: Config) -> String {
        let mut builder = Builder::new().with_config(config);
        for file in ["types.rs", "constants.rs", "client.rs", "cancel.rs", "queue.rs", "result.rs"] {
            builder = builder.with_src(root.join("src/capi").join(file));
        }
        let mut header = Vec::new();
        builder.generate().expect("src/capi can be read").write(&mut header);
        let header = String::from_utf8(header).expect("cbindgen writes UTF-8");
        plain_enums(&header)
    }

    /// Writes each enum as `UE_ENUM(name) { .. };`, which the header defines for C and C++. cbindgen's own form repeats
    /// conditions of the preprocessor for every enum, uses one name as a tag and as a typedef (-Wc++-compat), and ends the
    /// list with a comma (-std=c++98 -pedantic).
    fn plain_enums(header: &str) -> String {
        let (mut plain, mut rest) = (String::new(), header);
        while let Some((before, after)) = rest.split_once("\nenum ") {
            let (name, after) = after.split_once('\n').expect("cbindgen breaks the line after the name");
            let (_, after) = after.split_once(" {\n").expect("an enum has a body");
            let (values, after) = after.split_once(",\n};\n").expect("the body ends");
            let (typedefs, after) = after.split_at(after.find("\n\n").expect("an empty line follows"));
            assert!(typedefs.contains(&format!("typedef int32_t {name};")), "{name} is no enum of 32 bits");
            plain += &format!("{before}\nUE_ENUM({name}) {{\n{values}\n}};\n");
            rest = &after[1..];
        }
        plain + rest
    }

    /// What C's preprocessor makes of `UE_ENUM`.
    fn expand_enums(header: &str) -> String {
        let lines =
            header.lines().map(|line| match line.strip_prefix("UE_ENUM(").and_then(|line| line.split_once(')')) {
                Some((name, body)) => format!("typedef int32_t {name};\nenum{body}\n"),
                None => format!("{line}\n"),
            });
        lines.collect()
    }

    /// The version stands in Cargo.toml alone.
    fn for_c(mut config: Config) -> Config {
        let version = env::var("CARGO_PKG_VERSION").expect("cargo sets it");
        let number = |part: &str| -> u32 {
            env::var(format!("CARGO_PKG_VERSION_{part}"))
                .ok()
                .and_then(|text| text.parse().ok())
                .expect("cargo sets it")
        };
        let with_version = config.after_includes.unwrap_or_default()
            + &format!(
                "\n/// The version of this header. ue_version() gives that of the library.\n#define UE_VERSION \"{version}\"\n\
                 /// The same as a number: major * 10000 + minor * 100 + patch. ue_version_number() gives that of the library.\n\
                 #define UE_VERSION_NUMBER {}\n\
                 /// The shared library with the ABI of this header, as dlopen() finds it on Linux. While the major version is 0, the\n\
                 /// name has the minor one too, as each may break the ABI.\n\
                 #define UE_SONAME \"{}\"",
                number("MAJOR") * 10_000 + number("MINOR") * 100 + number("PATCH"),
                super::soname()
            );
        config.after_includes = Some(with_version);
        config
    }

    /// What `FFI::cdef` and `FFI::load` read: they take `#` lines for comments, and know neither macros nor extern "C".
    fn for_php(mut config: Config) -> Config {
        config.header = Some(format!(
            "#define FFI_SCOPE \"USERENGAGE\"\n#define FFI_LIB \"{}\"\n\
             // Made from the code, as include/userengage.h is, in the form that PHP's FFI reads. Do not edit.\n\
             typedef int ue_fd;",
            super::soname()
        ));
        config.include_guard = None;
        config.sys_includes.clear();
        config.after_includes = None;
        config.cpp_compat = false;
        config.documentation = false;
        config.function.must_use = None;
        config.function.prefix = None;
        config.export.item_types =
            vec![ItemType::Enums, ItemType::Structs, ItemType::Typedefs, ItemType::OpaqueItems, ItemType::Functions];
        config
    }
}
