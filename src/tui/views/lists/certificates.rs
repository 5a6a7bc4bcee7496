//! Certificates: what expires first, who uses it and who renews it.

use std::collections::{BTreeMap, BTreeSet};

use ngf_tls::certificate::CertificateFacts;
use ngf_ui::Mark;

use super::{Head, ListInfo, Order, head};
use crate::tui::state::ids::ListId;
use crate::tui::state::{
    App,
    ids::ViewId,
    list::{Cell, Row, Target},
    place::{Subject, name_of},
};
use ngf_core::{
    diagnosis::words::{holder, list, span},
    model::{
        kind::Kind,
        kinds::LocalRef,
        object::ObjectRef,
        snapshot::{Lookup, Snapshot},
    },
};

/// The list.
pub(super) const LIST: ListInfo = ListInfo {
    id: ListId::Certificates,
    name: "certificates",
    title: "Certificates",
    aliases: &["certificate", "certs", "cert", "crt"],
    help: "certificates, those that expire first before the others, with who uses and renews them",
    columns: COLUMNS,
    order: Order::Trouble,
    rows,
};

const COLUMNS: &[Head] = &[
    head("LEFT", 6, 16),
    head("SUBJECT", 10, 50),
    head("HELD BY", 10, 60),
    head("USED BY", 10, 60),
    head("RENEWED BY", 10, 40),
];

/// Users that are named; the rest is counted.
const NAMED: usize = 3;
/// Less than this, in seconds, is soon.
const SOON: i64 = 14 * 86_400;

fn rows(app: &App) -> Vec<Row> {
    let users = users(&app.snapshot);
    let mut rows = Vec::new();
    let mut known = BTreeSet::new();
    for (object, lookup) in &app.snapshot.secrets {
        let Lookup::Found(secret) = lookup else {
            continue;
        };
        for (key, held) in [
            ("tls.crt", &secret.spec.certificate),
            ("ca.crt", &secret.spec.ca),
        ] {
            for certificate in held.certificates() {
                known.insert(certificate.fingerprint_sha256.clone());
                rows.push(row(app, &users, object, key, certificate));
            }
        }
    }
    for (object, lookup) in &app.snapshot.config_maps {
        let Lookup::Found(map) = lookup else { continue };
        for certificate in map.spec.ca.certificates() {
            known.insert(certificate.fingerprint_sha256.clone());
            rows.push(row(app, &users, object, "ca.crt", certificate));
        }
    }
    rows.extend(presented(app, &mut known));
    rows.sort_by_key(|row| row.cells[0].number);
    rows
}

fn row(
    app: &App,
    users: &BTreeMap<ObjectRef, BTreeSet<String>>,
    object: &ObjectRef,
    key: &str,
    certificate: &CertificateFacts,
) -> Row {
    let used_by = users.get(object).map_or_else(
        || "nothing that was read".to_owned(),
        |users| list(users, NAMED),
    );
    Row {
        mark: mark(certificate, app.now.as_second()),
        cells: vec![
            left(certificate, app.now.as_second()),
            holder(certificate).into(),
            format!("{object}[{key}]").into(),
            used_by.into(),
            renewed_by(&app.snapshot, object).into(),
        ],
        target: Target::Tab(
            Subject::object(&app.diagnosis.topology, object),
            ViewId::Yaml,
        ),
        object: Some(object.clone()),
    }
}

/// Certificates that backends presented, and that no Secret which was read holds.
fn presented(app: &App, known: &mut BTreeSet<String>) -> Vec<Row> {
    let mut rows = Vec::new();
    for probed in app.evidence.probes() {
        let Ok(seen) = &probed.result else { continue };
        for certificate in &seen.server_chain {
            if !known.insert(certificate.fingerprint_sha256.clone()) {
                continue;
            }
            let service = &probed.plan.service;
            rows.push(Row {
                mark: mark(certificate, app.now.as_second()),
                cells: vec![
                    left(certificate, app.now.as_second()),
                    holder(certificate).into(),
                    format!("presented by {service}").into(),
                    name_of(&probed.plan.route).into(),
                    "not known".into(),
                ],
                target: Target::Page(Subject::object(&app.diagnosis.topology, &probed.plan.route)),
                object: Some(service.clone()),
            });
        }
    }
    rows
}

fn mark(certificate: &CertificateFacts, now: i64) -> Mark {
    match certificate.not_after - now {
        _ if certificate.not_before > now => Mark::Failed,
        left if left <= 0 => Mark::Failed,
        left if left < SOON => Mark::Warning,
        _ => Mark::Ok,
    }
}

fn left(certificate: &CertificateFacts, now: i64) -> Cell {
    let left = certificate.not_after - now;
    let text = match left {
        _ if certificate.not_before > now => {
            format!("valid in {}", span(certificate.not_before - now))
        }
        left if left <= 0 => format!("expired {} ago", span(left)),
        left => span(left),
    };
    Cell::sorted(text, left)
}

/// The Certificate of cert-manager that writes the Secret.
fn renewed_by(snapshot: &Snapshot, object: &ObjectRef) -> String {
    let writes = snapshot.certificates.iter().find(|(name, certificate)| {
        name.namespace == object.namespace
            && certificate.spec.secret_name == object.name
            && object.kind == Kind::Secret
    });
    match writes {
        Some((name, _)) => name.to_string(),
        None => "nobody that is known".to_owned(),
    }
}

/// What refers to each Secret and ConfigMap.
fn users(snapshot: &Snapshot) -> BTreeMap<ObjectRef, BTreeSet<String>> {
    let mut users: BTreeMap<ObjectRef, BTreeSet<String>> = BTreeMap::new();
    let mut add = |object: ObjectRef, user: &ObjectRef| {
        users.entry(object).or_default().insert(name_of(user));
    };
    for (object, gateway) in &snapshot.gateways {
        let listeners = gateway.spec.listeners.iter();
        let presented = listeners.flat_map(|listener| &listener.certificate_refs);
        let frontend = gateway.spec.frontend.iter().flat_map(|one| &one.ca_refs);
        let all = presented
            .chain(&gateway.spec.client_certificate_ref)
            .chain(frontend);
        for reference in all {
            add(target(reference, object, Kind::Secret), object);
        }
    }
    for (object, set) in &snapshot.listener_sets {
        for reference in set
            .spec
            .listeners
            .iter()
            .flat_map(|one| &one.certificate_refs)
        {
            add(target(reference, object, Kind::Secret), object);
        }
    }
    for (object, policy) in &snapshot.policies {
        for reference in &policy.spec.ca_certificate_refs {
            add(target(reference, object, Kind::ConfigMap), object);
        }
    }
    for (object, issuer) in &snapshot.issuers {
        let namespace = if object.namespace.is_empty() {
            ngf_core::model::references::cluster_resource_namespace(snapshot)
        } else {
            &object.namespace
        };
        if let Some(secret) = &issuer.spec.ca_secret {
            add(
                ObjectRef::new(Kind::Secret, namespace, secret.clone()),
                object,
            );
        }
    }
    for (object, pod) in &snapshot.pods {
        for volume in &pod.spec.volumes {
            add(volume.source.clone(), object);
        }
    }
    users
}

/// What a reference means, where its kind and namespace may be left out.
fn target(reference: &LocalRef, from: &ObjectRef, kind: Kind) -> ObjectRef {
    let kind = match reference.kind.as_deref() {
        Some("Secret") => Kind::Secret,
        Some("ConfigMap") => Kind::ConfigMap,
        _ => kind,
    };
    let namespace = reference.namespace.as_ref().unwrap_or(&from.namespace);
    ObjectRef::new(kind, namespace.clone(), reference.name.clone())
}
