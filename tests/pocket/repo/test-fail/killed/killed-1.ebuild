EAPI=8

inherit test-control

DESCRIPTION="Its compile phase is killed until /etc/gbsup-test/repaired is there"
SLOT="0"

src_compile() {
	echo "cc -c victim.c -o victim.o"
	# The shell of the phase and the one that waits for it.
	[[ -e /etc/gbsup-test/repaired ]] || kill -KILL $$ ${BASHPID}
}

src_install() {
	test_file
}
