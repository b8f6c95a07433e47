# What a person types is what CI runs. `make help` lists it.
CARGO ?= cargo
.DEFAULT_GOAL := help

include bindings/c/install.mk

# Whole paths, for what is run in other directories.
override CARGO_TARGET_DIR := $(TARGET)
export CARGO_TARGET_DIR
export USERENGAGE_LIBRARY := $(BUILT)/libuserengage.so
export UE_SANDBOX         := $(BUILT)/ue-sandbox

.PHONY: help setup lib sandbox header demo demo-stop test prepare format lint test-rust test-c test-python test-php \
        test-sandbox test-bench cross-check sanitize soak bench clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## Install what this machine lacks (Debian packages)
	@tests/setup

# One crate type: with an rlib beside it Cargo drops LTO (rust-lang/cargo#9672).
lib: ## The shared and the static library, in target/release
	$(CARGO) rustc --release --locked --lib --crate-type staticlib
	@bindings/c/link $(call quoted,$(LIBRARY).a) $(SONAME) $(STATIC_LIBS)

sandbox: ## The stand-in of the service, target/release/ue-sandbox
	$(CARGO) build --release --locked -p ue-sandbox

# A build alone installs nothing. Where setup runs too, a build waits for it.
lib sandbox abi: | $(if $(filter setup demo test test-% sanitize bench,$(MAKECMDGOALS)),setup)

header: ## The C headers from the code: run after a change of the C API, and commit them
	$(CARGO) build --locked --features header
	tests/copy-headers $(call quoted,$(TARGET)$(TRIPLE)/debug)

demo: setup sandbox lib ## Send one message from C, Python and PHP to a sandbox, and leave it running to look at
	@tests/demo

demo-stop: ## Stop the sandbox that `make demo` left running
	@tests/demo stop

test: lint abi test-rust test-c test-python test-php test-sandbox test-bench ## All that CI runs: every check, and every test in every language

prepare: ## Before a commit: write the formatting, then lint and the quick tests
	$(MAKE) --no-print-directory format
	$(MAKE) --no-print-directory lint test-rust

format: setup ## Write the formatting that `make lint` checks
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path tests/bench/rust/Cargo.toml
	tests/c/run-checks --fix
	bindings/python/run-checks --fix
	bindings/php/run-checks --fix

lint: setup ## Formatting, lints and types in every language, warnings denied; the READMEs' figures
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path tests/bench/rust/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets --locked --features header -- -D warnings
	RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --workspace --no-deps --locked --quiet
	tests/c/run-checks
	bindings/python/run-checks
	bindings/php/run-checks
	tests/bench/report --check

test-rust: setup ## The core, against the sandbox; the committed headers
	$(CARGO) test --workspace --locked --features header

test-c: setup sandbox lib ## The C and C++ faces, their installation, and the instructions that a message costs
	tests/c/run-tests
	tests/c/install-test
	tests/c/instructions

test-python: setup sandbox lib ## The Python package
	bindings/python/run-tests

test-php: setup sandbox lib ## The PHP package
	bindings/php/run-tests

test-sandbox: setup sandbox lib ## The sandbox's page in a browser, and the specification's own snippets
	tests/sandbox/run-tests

test-bench: setup sandbox lib ## That the bench still runs: a little of everything, nothing written
	tests/bench/run --quick

sanitize: setup sandbox ## The C tests under valgrind, ASan, LSan and TSan (nightly Rust, from rustup). Minutes
	@tests/setup libclang-rt-dev
	tests/c/run-sanitizers

cross-check: ## Type-check the library for ARM, musl, macOS and Windows (adds rustup targets)
	tests/cross-check

soak: ## 100,000 messages through random faults: is what is said of each true? Minutes
	$(CARGO) test --profile soak --locked --test soak

bench: setup sandbox lib ## What a message costs beside libcurl, requests and others, for the READMEs. Minutes
	tests/bench/run

clean: ## Remove what was built
	$(CARGO) clean
