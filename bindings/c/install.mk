# Installing, packaging and guarding the C library, after `make lib`. The Makefile at the top includes it; alone it works as
# well: `make -f bindings/c/install.mk install`.
#
#   make install PREFIX=/usr/local DESTDIR=     make uninstall, with the same
#   make deb                                    target/debian/*.deb
#   make abi                                    compares the ABI with the committed one
#   make doc-c                                  target/doxygen/html

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR    ?= $(PREFIX)/share
MANDIR     ?= $(DATADIR)/man
DESTDIR    ?=

# A path may have blanks: in a recipe it is one quoted word, and no list of make's has it.
quoted = '$(subst ','\'',$(1))'
to     = $(call quoted,$(DESTDIR)$(1))

# Where Cargo builds, by its own variables.
TARGET  := $(shell realpath -m -- $(call quoted,$(or $(CARGO_TARGET_DIR),$(CARGO_BUILD_TARGET_DIR),target)))
TRIPLE  := $(if $(CARGO_BUILD_TARGET),/$(CARGO_BUILD_TARGET))
BUILT   := $(TARGET)$(TRIPLE)/release
LIBRARY := $(BUILT)/libuserengage
package  = $(shell sed -n 's/^$(1) = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
VERSION := $(call package,version)
# build.rs has the rule.
SONAME  := $(shell sed -n 's/^\#define UE_SONAME "\(.*\)"/\1/p' include/userengage.h)
# The versions with the ABI of this one begin so.
SERIES  := $(SONAME:libuserengage.so.%=%)

PC    := $(LIBDIR)/pkgconfig/userengage.pc
CMAKE := $(LIBDIR)/cmake/userengage
MAN   := $(MANDIR)/man3/userengage.3
SO    := $(LIBDIR)/libuserengage.so
SHARE := $(DATADIR)/userengage

# What the templates name between @s.
DESCRIPTION       = $(call package,description)
# Paths are relative, so that what is installed may be moved: `way, from, to`.
way               = $(shell realpath -m --relative-to=$(call quoted,$(1)) -- $(call quoted,$(2)))
# With blanks escaped, as pkg-config does those of its own part (pcfiledir).
escaped           = $(subst $() ,\ ,$(1))
PC_PREFIX         = $${pcfiledir}/$(call escaped,$(call way,$(LIBDIR)/pkgconfig,$(PREFIX)))
ifeq ($(PREFIX),/usr) # the system's directories are left out by pkg-config, where they have their names
PC_PREFIX         = /usr
endif
LIB_IN_PREFIX     = $(call escaped,$(call way,$(PREFIX),$(LIBDIR)))
INCLUDE_IN_PREFIX = $(call escaped,$(call way,$(PREFIX),$(INCLUDEDIR)))
INCLUDE_FROM_LIB  = $(call way,$(LIBDIR),$(INCLUDEDIR))
# What a program needs besides libuserengage.a. The compiler adds the unwinder, in the form that suits -static or not.
STATIC_LIBS      := -lutil -lrt -lpthread -lm -ldl
literal = $(subst |,\|,$(subst &,\&,$(subst \,\\,$(1))))
FILL    = $(foreach name,PC_PREFIX LIB_IN_PREFIX INCLUDE_IN_PREFIX INCLUDE_FROM_LIB VERSION SONAME SERIES STATIC_LIBS \
            DESCRIPTION,-e $(call quoted,s|@$(name)@|$(call literal,$($(name)))|))
# `template, file`: the file has its mode before it is filled, whatever the umask.
fill    = install -m 644 /dev/null $(call to,$(2)) && sed $(FILL) bindings/c/$(1) >$(call to,$(2))

NEEDS_LIBRARY = @for kind in so a; do [ -e $(call quoted,$(LIBRARY)).$$kind ] || \
  { echo "There is no "$(call quoted,$(LIBRARY)).$$kind": run make lib" >&2; exit 1; }; done

.PHONY: install uninstall deb dist abi abi-accept doc-c

# `make install` builds nothing, as it is root's to call. Beside what does build, as in `make -j lib install`, it waits.
install deb dist: | $(if $(filter lib demo test test-% bench,$(MAKECMDGOALS)),lib)

install: ## The library, its headers and manual page below PREFIX (and DESTDIR); after `make lib`
	$(NEEDS_LIBRARY)
	umask 022 && mkdir -p $(call to,$(INCLUDEDIR)) $(call to,$(LIBDIR)/pkgconfig) $(call to,$(CMAKE)) $(call to,$(MANDIR)/man3) \
	  $(call to,$(SHARE))
	install -m 644 include/userengage.h include/userengage.hpp $(call to,$(INCLUDEDIR))
	install -m 644 $(call quoted,$(LIBRARY).so) $(call to,$(SO).$(VERSION))
	ln -sf libuserengage.so.$(VERSION) $(call to,$(LIBDIR)/$(SONAME))
	ln -sf $(SONAME) $(call to,$(SO))
	install -m 644 $(call quoted,$(LIBRARY).a) $(call to,$(LIBDIR))
	install -m 644 bindings/c/valgrind.supp $(call to,$(SHARE))
	@$(call fill,userengage.pc.in,$(PC))
	@$(call fill,userengageConfig.cmake.in,$(CMAKE)/userengageConfig.cmake)
	@$(call fill,userengageConfigVersion.cmake.in,$(CMAKE)/userengageConfigVersion.cmake)
	@$(call fill,userengage.3,$(MAN))

uninstall: ## Remove what `make install` put there
	rm -f $(call to,$(INCLUDEDIR))/userengage.h $(call to,$(INCLUDEDIR))/userengage.hpp $(call to,$(PC)) $(call to,$(MAN)) \
	  $(call to,$(SO)) $(call to,$(LIBDIR)/$(SONAME)) $(call to,$(SO).$(VERSION)) $(call to,$(LIBDIR))/libuserengage.a \
	  $(call to,$(CMAKE))/userengageConfig.cmake $(call to,$(CMAKE))/userengageConfigVersion.cmake $(call to,$(SHARE))/valgrind.supp
	for directory in $(call to,$(CMAKE)) $(call to,$(SHARE)); do [ ! -d "$$directory" ] || rmdir "$$directory"; done

deb: ## Debian packages in target/debian; after `make lib`
	$(NEEDS_LIBRARY)
	bindings/c/make-deb $(call quoted,$(TARGET)/debian) $(VERSION) $(SONAME)

MACHINE = $(or $(firstword $(subst -, ,$(CARGO_BUILD_TARGET))),$(shell uname -m))
DIST    = userengage-$(VERSION)-$(shell uname -s | tr A-Z a-z)-$(MACHINE)
STAGE   = $(TARGET)/dist/$(DIST)

dist: ## The archive for hosts without Rust, in target/dist (unpack it at /); after `make lib`
	$(NEEDS_LIBRARY)
	rm -rf $(call quoted,$(TARGET)/dist)
	$(MAKE) --no-print-directory -f bindings/c/install.mk install DESTDIR=$(call quoted,$(STAGE)) PREFIX=/usr/local
	umask 022 && mkdir -p $(call quoted,$(STAGE))/usr/local/share/doc/userengage
	install -m 644 LICENSE README.md CHANGELOG.md $(call quoted,$(STAGE))/usr/local/share/doc/userengage
	tar -C $(call quoted,$(STAGE)) --sort=name --owner=0 --group=0 --numeric-owner -czf $(call quoted,$(STAGE).tar.gz) usr

abi: ## Compare the C ABI with the committed one
	tests/c/abi

abi-accept: ## Make the C ABI of now the committed one
	tests/c/abi accept

doc-c: ## The C headers as HTML, in target/doxygen
	mkdir -p $(call quoted,$(TARGET)/doxygen)
	VERSION=$(VERSION) OUTPUT=$(call quoted,$(TARGET)/doxygen) doxygen bindings/c/Doxyfile
