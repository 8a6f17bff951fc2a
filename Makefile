# The verbs. All logic is in scripts/; here are only their names and what they are for.
#
#   BASE=gentoo|pocket   the official stage3 image (default), or the small test image
#   CONFIG=dir           the client to build for: dir/portage is its /etc/portage, dir/world its world file; or what client.sh capture prints
#   NAME= VOLUME= IMAGE= the container, the volume and the image, so that builders can stand beside each other
#   PORT=8080            where clients of the builder reach it on this machine; "no": nowhere
#   DOCKER_ARGS="--memory 8g ..."  for docker create
#   SEED= ROUNDS= CUTS=  for soak
#   ARGS="--json ..."    for status, resume, sync                   FOLLOW=0|1 TAIL=n  for logs

BASE ?= gentoo
export BASE CONFIG NAME VOLUME IMAGE PORT DOCKER_ARGS ARGS FOLLOW TAIL BINARY STAGE3 SEED ROUNDS CUTS

.DEFAULT_GOAL := help
.PHONY: help bootstrap check builder bash update build logs status resume sync stop snapshot recreate try quick test bench fuzz soak

help: ## print the verbs
	@echo "make VERB [BASE=gentoo|pocket] [CONFIG=dir] [NAME=container] [VOLUME=volume] [IMAGE=image]"
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14

bootstrap: ## the builder image with all configuration, ready to build
	@scripts/image
check: ## prove that the image is ready: @world resolves in it
	@scripts/check
builder: ## a builder container from the image, not yet started; one that exists is replaced
	@scripts/builder create
build: ## start building
	@scripts/builder build
bash: ## a shell in the running builder, else in a container that is thrown away
	@scripts/builder bash
update: ## bring the running builder up to today's configuration (CONFIG) and tree
	@scripts/builder update
logs: ## what the builder says
	@scripts/builder logs
status: ## how it is, and what to do
	@scripts/builder ask status
resume: ## go on after a repair
	@scripts/builder ask resume
sync: ## sync now and begin another cycle
	@scripts/builder ask sync
stop: ## stop it; a merge that has begun finishes first
	@scripts/builder stop
snapshot: ## freeze the whole builder as an image with a dated tag
	@scripts/builder snapshot
recreate: ## a new builder from the newest stage3, keeping the volume
	@scripts/builder recreate
try: ## the whole thing on this machine without Gentoo: about six minutes
	@scripts/try
quick: ## the tests that need no container
	@scripts/test --quick
test: ## every test
	@scripts/test
bench: ## the benchmark tables; COMPARE=FILE, figures of an earlier run
	@scripts/bench
fuzz: ## what a fuzzer finds in the readers, a minute each; needs a nightly compiler
	@scripts/fuzz
soak: ## rounds of chance and power losses, for hours: SEED, ROUNDS, CUTS
	@scripts/soak
