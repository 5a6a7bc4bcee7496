//! Listeners that are in each other's way (`createPortConflictResolver`,
//! `createOverlappingTLSConfigResolver`, `uniqueListenerConflictResolver`).

use std::collections::{BTreeMap, BTreeSet};

use super::Draft;
use crate::diagnosis::ngf::Release;

/// What the listeners before have taken.
pub(super) struct Conflicts {
    release: Release,
    /// The sort of protocol that a port was first taken for.
    owners: BTreeMap<u16, Sort>,
    /// Ports on which no listener is valid any more.
    conflicted: BTreeSet<u16>,
    by_port: BTreeMap<u16, Vec<usize>>,
    with_tls: BTreeMap<u16, Vec<usize>>,
    taken: BTreeSet<(u16, String, String)>,
    /// Ports with a listener about which too little is known.
    unknown: BTreeSet<u16>,
}

/// Protocols that may share a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Secure,
    Insecure,
    Layer4,
}

fn sort(protocol: &str) -> Sort {
    match protocol {
        "TLS" | "HTTPS" => Sort::Secure,
        "HTTP" => Sort::Insecure,
        _ => Sort::Layer4,
    }
}

/// `haveOverlap`.
fn overlap(a: Option<&str>, b: Option<&str>) -> bool {
    let covers =
        |wildcard: &str, host: &str| wildcard.starts_with("*.") && host.ends_with(&wildcard[1..]);
    match (a, b) {
        (Some(a), Some(b)) => a == b || covers(a, b) || covers(b, a),
        _ => true,
    }
}

impl Conflicts {
    pub(super) fn new(release: Release) -> Self {
        Self {
            release,
            owners: BTreeMap::new(),
            conflicted: BTreeSet::new(),
            by_port: BTreeMap::new(),
            with_tls: BTreeMap::new(),
            taken: BTreeSet::new(),
            unknown: BTreeSet::new(),
        }
    }

    /// Sets a listener, and those before it, against each other. A listener of a ListenerSet harms none
    /// but itself.
    pub(super) fn resolve(&mut self, all: &mut [Draft<'_>], index: usize, of_set: bool) {
        let port = all[index].listener.port;
        if !all[index].known {
            self.unknown.insert(port);
        }
        if self.unknown.contains(&port) {
            all[index].known = false;
        }
        if !all[index].valid {
            return;
        }
        self.port(all, index, of_set);
        if sort(&all[index].listener.protocol) == Sort::Secure {
            self.overlapping(all, index);
        }
        if self.release.wants_unique_listeners() {
            self.unique(all, index);
        }
    }

    fn port(&mut self, all: &mut [Draft<'_>], index: usize, of_set: bool) {
        let port = all[index].listener.port;
        let protocol = all[index].listener.protocol.clone();
        let sort = sort(&protocol);
        let protocols = format!(
            "Multiple listeners for the same port {port} specify incompatible protocols; ensure only one protocol per port"
        );
        if self.conflicted.contains(&port) {
            self.conflict(&mut all[index], "ProtocolConflict", &protocols);
            return;
        }
        let Some(owner) = self.owners.get(&port).copied() else {
            self.owners.insert(port, sort);
            self.by_port.entry(port).or_default().push(index);
            return;
        };
        let before = self.by_port.get(&port).cloned().unwrap_or_default();
        if owner == sort {
            self.same_sort(all, index, &before, of_set);
        } else {
            if !of_set {
                self.conflicted.insert(port);
                for other in before {
                    self.conflict(&mut all[other], "ProtocolConflict", &protocols);
                }
            }
            self.conflict(&mut all[index], "ProtocolConflict", &protocols);
        }
        self.by_port.entry(port).or_default().push(index);
    }

    fn same_sort(&self, all: &mut [Draft<'_>], index: usize, before: &[usize], of_set: bool) {
        let port = all[index].listener.port;
        let protocol = all[index].listener.protocol.clone();
        let is_layer4 = sort(&protocol) == Sort::Layer4;
        let (reason, message) = if is_layer4 {
            (
                "ProtocolConflict",
                format!("Multiple {protocol} listeners cannot share the same port {port}"),
            )
        } else {
            (
                "HostnameConflict",
                format!(
                    "HTTPS and TLS listeners for the same port {port} specify overlapping hostnames; ensure no overlapping hostnames for HTTPS and TLS listeners for the same port"
                ),
            )
        };
        let mut found = false;
        for &other in before {
            let same = all[other].listener.protocol == protocol;
            let meets = if is_layer4 {
                same
            } else {
                !same && overlap(all[index].hostname(), all[other].hostname())
            };
            if meets {
                found = true;
                if !of_set {
                    self.conflict(&mut all[other], reason, &message);
                }
            }
        }
        if found {
            self.conflict(&mut all[index], reason, &message);
        }
    }

    fn overlapping(&mut self, all: &mut [Draft<'_>], index: usize) {
        const MESSAGE: &str =
            "Listener hostname overlaps with hostname(s) of other Listener(s) on the same port";
        let port = all[index].listener.port;
        let before = self.with_tls.entry(port).or_default();
        for &other in before.iter() {
            if overlap(all[index].hostname(), all[other].hostname()) {
                for which in [index, other] {
                    all[which].say(
                        "OverlappingTLSConfig",
                        "True",
                        "OverlappingHostnames",
                        MESSAGE,
                    );
                }
            }
        }
        before.push(index);
    }

    fn unique(&mut self, all: &mut [Draft<'_>], index: usize) {
        let draft = &mut all[index];
        if !draft.valid {
            return;
        }
        let (port, protocol) = (draft.listener.port, draft.listener.protocol.clone());
        let hostname = draft.hostname().unwrap_or_default().to_owned();
        if !self.taken.insert((port, protocol.clone(), hostname)) {
            let message = format!(
                "Multiple listeners with the same port {port} and protocol {protocol} have overlapping hostnames"
            );
            self.conflict(draft, "HostnameConflict", &message);
        }
    }

    fn conflict(&self, draft: &mut Draft<'_>, reason: &'static str, message: &str) {
        draft.valid = false;
        draft.say("Accepted", "False", reason, message);
        draft.say("Conflicted", "True", reason, message);
        let programmed = if self.release.keeps_unresolved_listener_refs() {
            reason
        } else {
            "Invalid"
        };
        draft.say("Programmed", "False", programmed, message);
    }
}
