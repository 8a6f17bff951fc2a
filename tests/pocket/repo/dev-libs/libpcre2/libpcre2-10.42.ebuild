EAPI=8

ORIG="pcre2_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="Perl-compatible regular expressions"
HOMEPAGE="https://www.pcre.org/"
LICENSE="BSD"
SLOT="0/3"
IUSE="+bzip2 +zlib"

DEPEND="
	bzip2? ( app-arch/bzip2:= )
	zlib? ( sys-libs/zlib:= )
"
RDEPEND="${DEPEND}"

src_configure() { :; }

src_compile() {
	local grep=() part
	use bzip2 && grep+=( -DSUPPORT_LIBBZ2 -lbz2 )
	use zlib && grep+=( -DSUPPORT_LIBZ -lz )
	cp src/config.h.generic src/config.h && cp src/pcre2.h.generic src/pcre2.h || die
	cp src/pcre2_chartables.c.dist src/pcre2_chartables.c || die
	set -- -DHAVE_CONFIG_H -DPCRE2_CODE_UNIT_WIDTH=8 -DSUPPORT_PCRE2_8 -DSUPPORT_UNICODE -DHAVE_BCOPY -DHAVE_BZLIB_H -DHAVE_DIRENT_H \
		-DHAVE_INTTYPES_H -DHAVE_LIMITS_H -DHAVE_MEMMOVE -DHAVE_STDINT_H -DHAVE_STDLIB_H -DHAVE_STRERROR -DHAVE_STRING_H \
		-DHAVE_SYS_STAT_H -DHAVE_SYS_TYPES_H -DHAVE_UNISTD_H -DHAVE_ZLIB_H -Isrc
	pocket_library libpcre2-8.so.0 "$@" src/pcre2_{auto_possess,chartables,compile,config,context,convert,dfa_match,error,extuni}.c \
		src/pcre2_{find_bracket,jit_compile,maketables,match,match_data,newline,ord2utf,pattern_info,script_run,serialize}.c \
		src/pcre2_{string_utils,study,substitute,substring,tables,ucd,valid_utf,xclass}.c
	gcc ${CFLAGS} ${LDFLAGS} "$@" -o pcre2grep src/pcre2grep.c -L. -lpcre2-8 "${grep[@]}" || die "pcre2grep does not compile"
}

src_install() {
	pocket_install_library libpcre2-8.so.0
	doheader src/pcre2.h
	dobin pcre2grep
	doman doc/pcre2grep.1
}
