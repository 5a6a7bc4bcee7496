# The two commands that a newcomer needs: `make test`, and `cargo run --release -- demo`.
.PHONY: fields soak test test-slow test-later peers screenshots test-lab test-apiserver bench-cluster dist deb man book help

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

test: peers ## install what the tests need where it can be, say what could not, run all quick tests; the last line is the totals
	./tests/run --workspace --locked

test-later: peers ## the quick tests as if it were later: 400 days, or LATER=+30d
	NGF_TUI_LATER=$(or $(LATER),+400d) ./tests/run --workspace --locked

test-slow: peers ## the suites that take minutes: the differential suite against a real nginx, random keys, soak, and every change to every scenario
	cargo test --package ngf-probes --locked --features slow-tests --test differential -- --nocapture
	cargo test --locked --features soak-tests --test soak -- --nocapture --test-threads 1
	cargo test --locked --features soak-tests --test library -- incremental::

soak: peers ## the terminal interface on a cluster that changes all the time: two minutes, or NGF_TUI_SOAK_MINUTES
	cargo test --locked --features soak-tests --test soak -- churn --nocapture

peers: ## install the programs that the tests are compared with: nginx, openssl, kubectl, tmux, tshark
	./tests/install-peers

screenshots: ## draw assets/*.svg and assets/demo.cast again from the embedded cluster
	cargo run --quiet --locked -- screenshots assets

test-lab: ## on a real Kubernetes with the guide played on it: NGF_TUI_LAB_KUBECONFIG names its kubeconfig
	cargo test --locked --features lab-tests --test lab

test-apiserver: peers ## on a real kube-apiserver with etcd, built with Go: eight minutes of processor time the first time, then five minutes
	cargo test --locked --features apiserver-tests --test apiserver

fields: ## whether the list of known fields is as new as the released CRDs, which Go downloads; NGF_TUI_CRDS names a folder with further ones
	cargo test --locked --features fields-tests --test fields -- --nocapture

bench-cluster: ## check, a bare read and kubectl on a real kube-apiserver with 1,000 and 10,000 routes, or SIZES="1000 50000"
	tests/apiserver/bench $(SIZES)

dist: ## build a release's archive in target/dist (static, this processor; TARGET=… another), and start what is in it
	nice -n 19 assets/packaging/dist $(TARGET)

deb: ## build the Debian package of what make dist has built
	assets/packaging/deb $(TARGET)

man: ## write the manual pages to target/man
	cargo run --quiet --locked -- man target/man

book: ## build docs/ as a book in target/book; needs cargo install mdbook
	mdbook build docs
