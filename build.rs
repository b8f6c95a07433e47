//! Names the shared library for the linker, and makes the C headers from the code where the feature `header` asks for it.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:include={}/include", env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        let major = env::var("CARGO_PKG_VERSION_MAJOR").unwrap_or_default();
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libuserengage.so.{major}");
        // A look-up that outlives its call runs in this library: dlclose() must not take the code from under it.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    #[cfg(feature = "header")]
    header::write();
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
        fs::write(out.join("userengage.ffi.h"), generate(&root, for_php(config))).expect("OUT_DIR can be written");
    }

    fn generate(root: &std::path::Path, config: Config) -> Vec<u8> {
        let mut builder = Builder::new().with_config(config);
        for file in ["types.rs", "client.rs", "result.rs"] {
            builder = builder.with_src(root.join("src/capi").join(file));
        }
        let mut header = Vec::new();
        builder.generate().expect("src/capi can be read").write(&mut header);
        header
    }

    /// The version stands in Cargo.toml alone.
    fn for_c(mut config: Config) -> Config {
        let version = env::var("CARGO_PKG_VERSION").expect("cargo sets it");
        let with_version = config.after_includes.unwrap_or_default()
            + &format!(
                "\n/// The version of this header. ue_version() gives that of the library.\n#define UE_VERSION \"{version}\""
            );
        config.after_includes = Some(with_version);
        config
    }

    /// What `FFI::cdef` and `FFI::load` read: they take `#` lines for comments, and know neither macros nor extern "C".
    fn for_php(mut config: Config) -> Config {
        let major = env::var("CARGO_PKG_VERSION_MAJOR").expect("cargo sets it");
        config.header = Some(format!(
            "#define FFI_SCOPE \"USERENGAGE\"\n#define FFI_LIB \"libuserengage.so.{major}\"\n\
             // Made from the code, as include/userengage.h is, in the form that PHP's FFI reads. Do not edit."
        ));
        config.include_guard = None;
        config.sys_includes.clear();
        config.after_includes = None;
        config.cpp_compat = false;
        config.documentation = false;
        config.function.must_use = None;
        config.export.item_types =
            vec![ItemType::Enums, ItemType::Structs, ItemType::Typedefs, ItemType::OpaqueItems, ItemType::Functions];
        config
    }
}
