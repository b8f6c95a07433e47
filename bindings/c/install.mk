# Installing, packaging and guarding the C library; included by the Makefile at the top, after `make lib`.
#
#   make install PREFIX=/usr/local DESTDIR=     make uninstall, with the same
#   make deb                                    target/debian/*.deb
#   make abi                                    compares the ABI with the committed one
#   make doc-c                                  target/doxygen/html

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
DESTDIR    ?=

BUILT   := $(or $(CARGO_TARGET_DIR),target)
package  = $(shell sed -n 's/^$(1) = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
VERSION := $(call package,version)
MAJOR   := $(firstword $(subst ., ,$(VERSION)))
# What a program needs besides libuserengage.a. The compiler adds the unwinder, in the form that suits -static or not.
STATIC_LIBS := -lutil -lrt -lpthread -lm -ldl

PC    := $(LIBDIR)/pkgconfig/userengage.pc
CMAKE := $(LIBDIR)/cmake/userengage
MAN   := $(MANDIR)/man3/userengage.3
INSTALLED = $(INCLUDEDIR)/userengage.h $(INCLUDEDIR)/userengage.hpp $(PC) $(MAN) \
            $(addprefix $(CMAKE)/userengageConfig,.cmake Version.cmake) \
            $(addprefix $(LIBDIR)/libuserengage.,so.$(VERSION) so.$(MAJOR) so a)

FILL = sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|' \
           -e 's|@VERSION@|$(VERSION)|; s|@MAJOR@|$(MAJOR)|; s|@STATIC_LIBS@|$(STATIC_LIBS)|' \
           -e 's|@DESCRIPTION@|$(call package,description)|' \
           -e 's|@INCLUDE_FROM_LIB@|$(shell realpath -m --relative-to=$(LIBDIR) $(INCLUDEDIR))|'

.PHONY: install uninstall deb dist abi abi-accept doc-c

install: ## The library, its headers and manual page below PREFIX (and DESTDIR); after `make lib`
	install -d $(addprefix $(DESTDIR),$(sort $(dir $(INSTALLED))))
	install -m 644 include/userengage.h include/userengage.hpp $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(BUILT)/release/libuserengage.so $(DESTDIR)$(LIBDIR)/libuserengage.so.$(VERSION)
	ln -sf libuserengage.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libuserengage.so.$(MAJOR)
	ln -sf libuserengage.so.$(MAJOR) $(DESTDIR)$(LIBDIR)/libuserengage.so
	install -m 644 $(BUILT)/release/libuserengage.a $(DESTDIR)$(LIBDIR)
	$(FILL) bindings/c/userengage.pc.in > $(DESTDIR)$(PC)
	$(FILL) bindings/c/userengageConfig.cmake.in > $(DESTDIR)$(CMAKE)/userengageConfig.cmake
	$(FILL) bindings/c/userengageConfigVersion.cmake.in > $(DESTDIR)$(CMAKE)/userengageConfigVersion.cmake
	$(FILL) bindings/c/userengage.3 > $(DESTDIR)$(MAN)

uninstall: ## Remove what `make install` put there
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	[ ! -d $(DESTDIR)$(CMAKE) ] || rmdir $(DESTDIR)$(CMAKE)

deb: ## Debian packages in target/debian; after `make lib`
	bindings/c/make-deb $(BUILT)/debian $(VERSION)

DIST = userengage-$(VERSION)-$(shell uname -s | tr A-Z a-z)-$(shell uname -m)

dist: ## The archive for hosts without Rust, in target/dist (unpack it at /); after `make lib`
	rm -rf $(BUILT)/dist
	$(MAKE) --no-print-directory -f bindings/c/install.mk install DESTDIR=$(abspath $(BUILT))/dist/$(DIST) PREFIX=/usr/local
	install -D -m 644 LICENSE README.md CHANGELOG.md -t $(BUILT)/dist/$(DIST)/usr/local/share/doc/userengage
	tar -C $(BUILT)/dist/$(DIST) --sort=name --owner=0 --group=0 --numeric-owner -czf $(BUILT)/dist/$(DIST).tar.gz usr

abi: ## Compare the C ABI with the committed one
	tests/c/abi

abi-accept: ## Make the C ABI of now the committed one
	tests/c/abi accept

doc-c: ## The C headers as HTML, in target/doxygen
	mkdir -p $(BUILT)/doxygen
	VERSION=$(VERSION) OUTPUT=$(BUILT)/doxygen doxygen bindings/c/Doxyfile
