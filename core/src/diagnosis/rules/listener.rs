//! L: listeners and their clients. What frontend TLS (`spec.tls.frontend`) demands, and what becomes of clients
//! that do not meet it.

use std::collections::BTreeMap;

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Mark, Remedy, Severity},
        joined::Joined,
        ngf::frontend::{Ca, CaFault, Demand, demand, frontend_bundle_file},
        rule::{Need, Rule},
        rules::{
            logs::line,
            shared::{grant, upper, with_oddity},
        },
        words::list,
    },
    logs::{Meaning, Role},
    model::{
        kinds::{Gateway, Listener},
        object::{Object, ObjectRef},
    },
};

/// A listener that ends TLS and demands a client certificate.
#[derive(Clone)]
pub(super) struct Demanding<'a> {
    pub(super) gateway: &'a Object<Gateway>,
    /// The Gateway or ListenerSet.
    owner: &'a ObjectRef,
    pub(super) listener: &'a Listener,
    pub(super) demand: Demand,
}

impl Demanding<'_> {
    /// Whether NGF's status refuses the listener because of the CAs of its clients
    /// (`NoValidCACertificate`, Gateway API `ListenerConditionReason`).
    fn is_refused_in_status(&self) -> bool {
        let mut status = self.gateway.status.listeners.iter();
        let own = status.find(|status| {
            *self.owner == self.gateway.reference && status.name == self.listener.name
        });
        own.is_some_and(|own| {
            let mut conditions = own.conditions.iter();
            conditions.any(|condition| condition.reason == "NoValidCACertificate")
        })
    }

    pub(super) fn mark(&self) -> Mark {
        Mark::Listener {
            owner: self.owner.clone(),
            name: self.listener.name.clone(),
        }
    }
}

/// Whether a listener is one whose clients NGF can verify.
pub(super) fn ends_tls(listener: &Listener) -> bool {
    listener.protocol == "HTTPS" && listener.tls_mode.as_deref() != Some("Passthrough")
}

/// The listeners that demand a client certificate.
pub(super) fn demanding<'a>(context: &Context<'a>) -> Vec<Demanding<'a>> {
    let snapshot = context.snapshot;
    let release = context.running.release;
    let mut all = Vec::new();
    for (name, (gateway, _)) in &context.gateways {
        for (owner, listener) in context.listeners(name) {
            let found =
                demand(snapshot, release, gateway, listener.port).filter(|_| ends_tls(listener));
            if let Some(demand) = found {
                all.push(Demanding {
                    gateway,
                    owner,
                    listener,
                    demand,
                });
            }
        }
    }
    all
}

/// The listeners of a Gateway that name a CA, by the Gateway and the CA.
type ByCa<'a> = BTreeMap<(&'a ObjectRef, String), (Ca, Vec<Demanding<'a>>)>;

pub(in crate::diagnosis) const L1: Rule = Rule {
    code: Code::L1,
    severity: Severity::Error,
    title: "NGF cannot use a CA that the Gateway names for its clients",
    explanation: "spec.tls.frontend names the CAs of client certificates: ConfigMaps, or Secrets of type kubernetes.io/tls, with ca.crt; those of another namespace need a ReferenceGrant. NGF leaves out a CA that it cannot use, and clients with a certificate of that CA get no answer. Where no CA of a listener is left, NGF refuses the listener. For a missing ReferenceGrant the Gateway's ResolvedRefs says the same as for the client certificate (NGF-G7).",
    remedy: "Correct the reference, the Secret or the ConfigMap, or create the ReferenceGrant.",
    causes: &[Code::S2, Code::S3],
    needs: &[Need::Paths, Need::Certificates],
    check: |context, findings| {
        let mut by_ca: ByCa<'_> = BTreeMap::new();
        for one in demanding(context) {
            for ca in one.demand.cas.clone() {
                let is_bad = matches!(&ca.fault, Ok(Some(fault)) if fault.is_refused());
                if is_bad {
                    let key = (&one.gateway.reference, ca.label.clone());
                    let (_, users) = by_ca.entry(key).or_insert_with(|| (ca, Vec::new()));
                    users.push(one.clone());
                }
            }
        }
        unknown_cas(context, findings);
        for ((gateway, _), (ca, users)) in by_ca {
            // NGF itself says it of the listener, in its own words (NGF-S3).
            if users.iter().all(Demanding::is_refused_in_status) {
                continue;
            }
            let finding = unusable(context, findings, gateway, &ca, &users);
            findings.add(finding);
        }
    },
};

/// The CAs of which nobody has said yet whether NGF can use them.
fn unknown_cas(context: &Context<'_>, findings: &mut Findings) {
    let mut unknown: ByCa<'_> = BTreeMap::new();
    for one in demanding(context) {
        if !one.gateway.status.conditions.is_empty() {
            continue;
        }
        for ca in one.demand.cas.iter().filter(|ca| ca.fault.is_err()) {
            let key = (&one.gateway.reference, ca.label.clone());
            let entry = unknown.entry(key);
            let (_, users) = entry.or_insert_with(|| (ca.clone(), Vec::new()));
            users.push(one.clone());
        }
    }
    for ((gateway, label), (ca, users)) in unknown {
        let Err(why) = &ca.fault else { continue };
        let severity = if context.is_files() {
            Severity::Info
        } else {
            Severity::Warning
        };
        let mut finding = Finding::new(
            Code::L1,
            severity,
            gateway,
            format!("Whether NGF takes {label} as a CA of the clients of {gateway} is unknown"),
        )
        .unknown()
        .because(format!("{}.", upper(why)))
        .scope(&ca.object);
        for one in users {
            finding = finding.mark(one.mark());
        }
        findings.add(finding);
    }
}

fn unusable(
    context: &Context<'_>,
    findings: &mut Findings,
    gateway: &ObjectRef,
    ca: &Ca,
    users: &[Demanding<'_>],
) -> Finding {
    let refused: Vec<&Demanding<'_>> = users
        .iter()
        .filter(|one| one.demand.refuses_listener() == Some(true))
        .collect();
    let severity = if refused.is_empty() {
        Severity::Warning
    } else {
        Severity::Error
    };
    let label = &ca.label;
    let (title, because) = match &ca.fault {
        Ok(Some(CaFault::NotGranted)) => (
            format!("No ReferenceGrant lets {gateway} use {label} as CA of its clients"),
            "The condition ResolvedRefs of the Gateway is about this CA, not about a client certificate.".to_owned(),
        ),
        Ok(Some(CaFault::Kind(what))) => (
            format!("{gateway} names {label} as CA of its clients, which NGF rejects"),
            format!("NGF accepts Secrets and ConfigMaps of the core group, not {what}."),
        ),
        Ok(Some(CaFault::Unusable(words))) => (
            format!("NGF cannot use {label}, a CA of the clients of {gateway}"),
            format!("NGF reports: {words}."),
        ),
        _ => (String::new(), String::new()),
    };
    let mut finding = Finding::new(Code::L1, severity, gateway, title)
        .because(because)
        .scope(&ca.object);
    if let (Ok(Some(CaFault::Unusable(_))), Some(object)) = (&ca.fault, &ca.object) {
        finding = with_oddity(context, finding, object);
    }
    for one in users {
        finding = finding.mark(one.mark());
        for condition in ["Accepted", "Programmed", "ResolvedRefs"] {
            findings.explain(one.owner, format!("{}/{condition}", one.listener.name));
        }
    }
    if ca.fault == Ok(Some(CaFault::NotGranted)) {
        findings.explain(gateway, "ResolvedRefs");
    }
    let names = |all: &[&Demanding<'_>]| list(all.iter().map(|one| &one.listener.name), 3);
    finding = if refused.is_empty() {
        let all: Vec<&Demanding<'_>> = users.iter().collect();
        finding.breaks(format!(
            "clients with a certificate of that CA get no answer from listener {}",
            names(&all)
        ))
    } else {
        finding.breaks(format!(
            "NGF refuses listener {}, because it can use none of its CAs",
            names(&refused)
        ))
    };
    match (&ca.fault, &ca.object) {
        (Ok(Some(CaFault::NotGranted)), Some(object)) => finding.remedy(Remedy::create(
            format!("Allow it with a ReferenceGrant in namespace {}.", object.namespace),
            grant(
                "Gateway",
                &gateway.namespace,
                object.kind.name(),
                &object.namespace,
                &object.name,
            ),
        )),
        (_, Some(object)) if context.is_files() => finding.remedy(Remedy::say(format!(
            "Give {object} a ca.crt that holds the CA, in a ConfigMap or a Secret of type kubernetes.io/tls."
        ))),
        (_, Some(object)) => finding.remedy(Remedy::command(
            format!("Give {object} a ca.crt that holds the CA, in a ConfigMap or a Secret of type kubernetes.io/tls."),
            Command::kubectl(&object.namespace)
                .words(["describe"])
                .object(object),
        )),
        (_, None) => finding.remedy(Remedy::say("Name a Secret or a ConfigMap of the core group.")),
    }
}

pub(in crate::diagnosis) const L2: Rule = Rule {
    code: Code::L2,
    severity: Severity::Error,
    title: "A CA for the Gateway's clients is in an Opaque Secret, and NGF does not write it",
    explanation: "NGF accepts an Opaque Secret with ca.crt as CA of a listener's clients, and makes CA bundles of ConfigMaps and Secrets of type kubernetes.io/tls only (nginx-gateway-fabric issue 5872). Where the listener has no other CA, it names a file that does not exist, and nginx refuses the whole configuration. Otherwise clients with a certificate of that CA get no answer.",
    remedy: "Put the CA into a ConfigMap under the key ca.crt.",
    causes: &[Code::D1],
    needs: &[Need::Paths, Need::Certificates],
    check: |context, findings| {
        for one in demanding(context) {
            let gateway = &one.gateway.reference;
            for ca in &one.demand.cas {
                let Some(object) = ca.object.as_ref().filter(|_| {
                    matches!(&ca.fault, Ok(Some(fault)) if !fault.is_refused())
                        && !one.demand.insecure
                }) else {
                    continue;
                };
                if ca.fault == Ok(Some(CaFault::PerhapsNotWritten)) {
                    findings.add(perhaps_not_written(context, &one, object));
                    continue;
                }
                let breaks_all = one.demand.lacks_file();
                let severity = if breaks_all {
                    Severity::Error
                } else {
                    Severity::Warning
                };
                let file = frontend_bundle_file(gateway, one.listener.port);
                let finding = Finding::new(
                    Code::L2,
                    severity,
                    gateway,
                    format!("NGF does not write {object}, a CA of the clients of listener {}: it is Opaque", one.listener.name),
                )
                .mark(one.mark())
                .scope([object])
                .evidence("type", "Opaque", object.to_string())
                .remedy(Remedy::say(format!(
                    "Put the ca.crt of {object} into a ConfigMap, and name that in spec.tls.frontend."
                )));
                findings.add(if breaks_all {
                    finding
                        .because(format!("The listener names {file}, which does not exist: nginx refuses the configuration (`No such file or directory`)."))
                        .breaks(format!("no change takes effect any more, for any route of {gateway}"))
                } else {
                    finding.breaks("clients with a certificate of that CA get no answer")
                });
            }
        }
    },
};

/// L2 where it is unknown whether the release that runs still does so.
fn perhaps_not_written(context: &Context<'_>, one: &Demanding<'_>, object: &ObjectRef) -> Finding {
    let release = match &context.running.said_by {
        Some((_, version)) => format!("what NGF {version} does was not read"),
        None => "which release of NGF runs is not known".to_owned(),
    };
    Finding::new(
        Code::L2,
        Severity::Warning,
        &one.gateway.reference,
        format!(
            "Whether NGF writes {object}, a CA of the clients of listener {}, is not known: it is Opaque",
            one.listener.name
        ),
    )
    .unknown()
    .because(format!(
        "NGF 2.6.0 to 2.6.7, 2.7.0 and 2.7.1 accept it and do not write it, so that nginx can refuse the configuration; {release}."
    ))
    .mark(one.mark())
    .scope([object])
    .evidence("type", "Opaque", object.to_string())
    .remedy(Remedy::say(format!(
        "Put the ca.crt of {object} into a ConfigMap, and name that in spec.tls.frontend: every release takes it."
    )))
}

pub(in crate::diagnosis) const L3: Rule = Rule {
    code: Code::L3,
    severity: Severity::Warning,
    title: "A listener asks its clients for a certificate and accepts any",
    explanation: "With mode AllowInsecureFallback NGF renders ssl_verify_client optional_no_ca and no CA: clients with any certificate, expired or of any CA, and clients without one are let in. The Gateway's condition InsecureFrontendValidationMode says so.",
    remedy: "Set the mode AllowValidOnly, unless the application checks the certificate itself.",
    causes: &[Code::S2],
    needs: &[Need::Paths, Need::Certificates],
    check: |context, findings| {
        let mut by_gateway: BTreeMap<&ObjectRef, Vec<Demanding<'_>>> = BTreeMap::new();
        for one in demanding(context)
            .into_iter()
            .filter(|one| one.demand.insecure)
        {
            by_gateway
                .entry(&one.gateway.reference)
                .or_default()
                .push(one);
        }
        for (gateway, listeners) in by_gateway {
            findings.explain(gateway, "InsecureFrontendValidationMode");
            let names = list(listeners.iter().map(|one| &one.listener.name), 3);
            let mut finding = Finding::new(
                Code::L3,
                Severity::Warning,
                gateway,
                format!("Listener {names} of {gateway} accepts clients with any certificate, and without one"),
            )
            .evidence("mode", "AllowInsecureFallback", format!("{gateway} spec.tls.frontend"))
            .remedy(Remedy::say("Set validation.mode AllowValidOnly in spec.tls.frontend, unless the application checks the certificate itself."));
            for one in &listeners {
                finding = finding.mark(one.mark());
            }
            findings.add(finding);
        }
    },
};

pub(in crate::diagnosis) const L4: Rule = Rule {
    code: Code::L4,
    severity: Severity::Warning,
    title: "Clients get no answer, because the listener does not accept their certificate",
    explanation: "With frontend TLS in mode AllowValidOnly NGF renders `error_page 495 496 = @frontend_tls_verify_failed` with `return 444`: nginx closes the connection of a client without a certificate, or with one that does not verify, after the handshake and without an answer (curl: Empty reply from server). The data plane logs it at level info, and 444 in its access log.",
    remedy: "Let the client present a certificate of one of the listener's CAs.",
    causes: &[],
    needs: &[Need::Paths, Need::Certificates, Need::Logs],
    check: |context, findings| {
        let mut by_gateway: BTreeMap<&ObjectRef, Vec<&Joined<'_>>> = BTreeMap::new();
        for joined in &context.logs {
            let said = &joined.counted.last_line;
            let refuses = matches!(
                said.what,
                Meaning::ClientRefused { .. } | Meaning::NoClientCertificate
            );
            if joined.log.role == Role::DataPlane
                && refuses
                && said.request.upstream.is_none()
                && let Some(gateway) = &joined.log.gateway
            {
                by_gateway.entry(gateway).or_default().push(joined);
            }
        }
        for (gateway, mut lines) in by_gateway {
            if !context.gateways.contains_key(gateway) {
                continue;
            }
            let demanding = demanding(context);
            let of_gateway = demanding
                .iter()
                .filter(|one| one.gateway.reference == *gateway && !one.demand.insecure);
            let of_gateway: Vec<&Demanding<'_>> = of_gateway.collect();
            let count: u64 = lines.iter().map(|joined| joined.counted.count).sum();
            let times = match count {
                1 => "once".to_owned(),
                more => format!("{more} times"),
            };
            let mut finding = Finding::new(
                Code::L4,
                Severity::Warning,
                gateway,
                format!(
                    "{gateway} gave clients no answer {times}, because it did not accept their certificate"
                ),
            );
            for one in &of_gateway {
                finding = finding.mark(one.mark());
                let cas = list(one.demand.cas.iter().map(|ca| &ca.label), 3);
                let place = format!("listener {} of {}", one.listener.name, one.owner);
                finding = finding.evidence("accepted CAs", cas, place);
                finding = finding.scope(one.demand.cas.iter().filter_map(|ca| ca.object.as_ref()));
            }
            lines.sort_by_key(|joined| std::cmp::Reverse(joined.counted.last));
            for joined in lines.into_iter().take(3) {
                finding = line(context, finding, joined.log, joined.counted);
            }
            findings.add(
                finding
                    .because("nginx closes the connection after the handshake and answers nothing (444).")
                    .remedy(Remedy::say("Let the clients present a certificate of one of these CAs, or add their CA to spec.tls.frontend.")),
            );
        }
    },
};
