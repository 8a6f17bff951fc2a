EAPI=8

DESCRIPTION="A virtual for a module that comes with Perl"
SLOT="0"
KEYWORDS="amd64"

RDEPEND="
	|| ( =dev-lang/perl-5.44* =dev-lang/perl-5.42* =dev-lang/perl-5.40* )
	dev-lang/perl:=
"
