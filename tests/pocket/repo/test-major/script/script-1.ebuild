EAPI=8

inherit test-control

DESCRIPTION="A script for Perl, whichever there is"
SLOT="0"

RDEPEND="dev-lang/perl"

src_install() {
	newbin - perl-script <<<'#!/usr/bin/test-perl'
}
