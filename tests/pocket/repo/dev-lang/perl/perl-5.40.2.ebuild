EAPI=8

inherit test-control

DESCRIPTION="As much of Perl as its packages notice: a library with a version in its soname, and directories with one in their name"
SLOT="0/$(ver_cut 1-2)"

src_compile() {
	local version=$(ver_cut 1-2)
	printf '#include <stdio.h>\nvoid perl_run(void) { puts("%s"); }\n' "${version}" >perl.c || die
	printf 'void perl_run(void);\nint main(void) { perl_run(); }\n' >main.c || die
	gcc -shared -fPIC -o libperl.so.${version} -Wl,-soname,libperl.so.${version} perl.c || die
	gcc -o test-perl main.c ./libperl.so.${version} || die
}

src_install() {
	local version=$(ver_cut 1-2)
	dolib.so libperl.so.${version}
	dosym libperl.so.${version} /usr/$(get_libdir)/libperl.so
	dobin test-perl
	insinto /usr/lib/perl5/${version}
	newins - strict.pm <<<"1;"
}
