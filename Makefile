# What a person types is what CI runs. `make help` lists it.
CARGO  ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
CC     ?= cc
export USERENGAGE_LIBRARY := $(abspath $(TARGET))/release/libuserengage.so
export UE_SANDBOX         := $(abspath $(TARGET))/release/ue-sandbox

.PHONY: help setup lib sandbox header demo demo-stop test lint test-rust test-c test-python test-php test-sandbox test-bench cross-check sanitize soak bench clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## Install what this machine lacks (Debian packages)
	@tests/setup

# One crate type a call: with an rlib beside it Cargo drops LTO (rust-lang/cargo#9672).
lib: ## The shared and the static library, in target/release
	$(CARGO) rustc --release --locked --lib --crate-type cdylib
	$(CARGO) rustc --release --locked --lib --crate-type staticlib
	@ln -sf libuserengage.so $(TARGET)/release/libuserengage.so.$(MAJOR) # the name that programs ask the loader for

sandbox: ## The stand-in of the service, target/release/ue-sandbox
	$(CARGO) build --release --locked -p ue-sandbox

header: ## The C headers from the code: run after a change in src/ffi, and commit them
	$(CARGO) build --locked --features header
	tests/copy-headers $(TARGET)

demo: setup sandbox lib ## Send one message from C, Python and PHP to a sandbox, and leave it running to look at
	@tests/demo

demo-stop: ## Stop the sandbox that `make demo` left running
	@tests/demo stop

test: setup lint test-rust sandbox lib test-c test-python test-php test-sandbox test-bench ## Every test in every language

lint: ## Formatting and lints, warnings denied; the READMEs' figures
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path tests/bench/rust/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets --locked --features header -- -D warnings
	tests/bench/report --check

test-rust: ## The core, against the sandbox; the committed headers
	$(CARGO) test --workspace --locked --features header

test-c: ## The C and C++ faces, their installation, and the instructions that a message costs
	tests/c/run-tests
	tests/c/install-test
	tests/c/instructions

test-python: ## The Python package
	bindings/python/run-tests

test-php: ## The PHP package
	bindings/php/run-tests

test-sandbox: ## The sandbox's page in a browser, and the specification's own snippets
	tests/sandbox/run-tests

test-bench: ## That the bench still runs: a little of everything, nothing written
	tests/bench/run --quick

sanitize: sandbox ## The C tests under valgrind, ASan, LSan and TSan (nightly Rust, from rustup). Minutes
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

-include bindings/c/install.mk
