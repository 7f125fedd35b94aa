# The face of the project. Every recipe is Rust: see xtask/, or `cargo xtask help`.
XTASK = cargo xtask

.PHONY: help setup build image run demo test bench lint docs fuzz test-vm e2e-cluster

help: ; @$(XTASK) help
setup: ; @$(XTASK) setup
build: ; @$(XTASK) build
image: ; @$(XTASK) image
run: ; @$(XTASK) run
demo: ; @$(XTASK) demo
test: ; @$(XTASK) ci
bench: ; @$(XTASK) bench && $(XTASK) bench growth && $(XTASK) bench network && $(XTASK) bench join && $(XTASK) bench kube-state
lint: ; @$(XTASK) lint
docs: ; @$(XTASK) docs
fuzz: ; @$(XTASK) fuzz
test-vm: ; @$(XTASK) test-vm $(KERNEL)
e2e-cluster: ; @$(XTASK) e2e-cluster
