//! What probes, logs, listeners, dry runs and data-plane pods said.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use ngf_core::{
    diagnosis::{
        Evidence,
        evidence::{Meeting, Met, Probed},
        plan::{ProbePlan, ProbeTarget, plan},
    },
    logs::{PodLog, Role, Tally},
    model::{kind::Kind, object::ObjectRef, snapshot::Snapshot, versions::Versions},
    nginx_config::{InPod, NginxConfig},
    overlay::said::{DryRunAnswer, DryRunOutcome as Answer, ManifestRefusal, Why},
};
use ngf_tls::{
    certificate::CertificateFacts,
    transcript::{
        ClientCertificate, Engine, HttpAnswer, NginxVerdict, SCHEMA, TlsAgreed, Transcript,
    },
};

use super::description::{Description, SeenByProbe, SeenRole};
use crate::support::pki::Minted;

/// What probes saw; an error where nothing can be probed.
pub(super) fn seen(
    description: &Description,
    snapshot: &Snapshot,
    minted: &BTreeMap<String, &Minted>,
    now: Timestamp,
) -> Result<Vec<Probed>, String> {
    let mut all = Vec::new();
    for seen in &description.probes {
        let target = ProbeTarget::parse(&seen.target, "default").expect("a target");
        let plans = plan(snapshot, &target).map_err(|error| format!("{}: {error}", seen.target))?;
        for plan in plans {
            let wanted = seen.address.as_ref();
            if wanted.is_none_or(|address| *address == plan.endpoint.address) {
                let result = match &seen.failed {
                    Some(why) => Err(why.clone()),
                    None => Ok(Arc::new(transcript(seen, &plan, minted, now))),
                };
                all.push(Probed {
                    plan: Arc::new(plan),
                    at: Timestamp::from_second(now.as_second() - seen.ago).expect("a moment"),
                    result,
                });
            }
        }
    }
    Ok(all)
}

/// What logs and data-plane pods said.
pub(super) fn beyond_probes(
    description: &Description,
    minted: &BTreeMap<String, &Minted>,
    now: Timestamp,
    snapshot: &Snapshot,
    evidence: &mut Evidence,
) {
    let gateway = ObjectRef::new(Kind::Gateway, "default", "gateway");
    for seen in &description.logs {
        let role = match seen.role {
            SeenRole::DataPlane => Role::DataPlane,
            SeenRole::Application => Role::Application,
            SeenRole::Controller => Role::Controller,
        };
        let mut tally = Tally::default();
        tally.read(&seen.lines.join("\n"), now);
        evidence.record_log(PodLog {
            role,
            gateway: (role == Role::DataPlane).then(|| gateway.clone()),
            pod: ObjectRef::new(Kind::Pod, "default", &seen.pod),
            container: "nginx".to_owned(),
            since: now,
            failed: seen.failed.clone(),
            cut: false,
            file: None,
            until: None,
            tally,
        });
    }
    for seen in &description.listeners {
        let gateway = named(&seen.gateway);
        let facts = |name: &String| {
            let der = minted[name].certificate.to_der().expect("DER");
            CertificateFacts::from_der(&der).expect("a certificate")
        };
        let meeting = Meeting {
            owner: gateway.clone(),
            gateway,
            listener: seen.listener.clone(),
            server_name: seen.server_name.clone(),
        };
        let met = Met {
            via: "port-forward to gateway-nginx-1".to_owned(),
            chain: seen.presents.iter().map(facts).collect(),
            accepted: seen.accepted,
            verdict: seen.verdict.clone(),
            failed: seen.failed.clone(),
        };
        let result = seen.untested.clone().map_or(Ok(met), Err);
        evidence.record_meeting(meeting, now, result);
    }
    for said in &description.dry_runs {
        let [kind, namespace, name] = said.object.split('/').collect::<Vec<_>>()[..] else {
            panic!("{} is not Kind/namespace/name", said.object);
        };
        let outcome = match (&said.refused, &said.unknown) {
            (Some(words), _) => Answer::Refused(ManifestRefusal {
                words: words.clone(),
                causes: said.causes.clone().into_iter().collect(),
                why: Why::Invalid,
            }),
            (_, Some(why)) => Answer::Unknown(why.clone()),
            _ => Answer::Taken {
                dropped: said.dropped.clone(),
                altered: said.altered.clone(),
            },
        };
        evidence.record_said(DryRunAnswer {
            object: ObjectRef::new(Kind::parse(kind).expect("a kind"), namespace, name),
            place: "manifests/all.yaml, document 1, line 1".to_owned(),
            outcome,
            warnings: said.warnings.clone(),
        });
    }
    for seen in &description.rendered {
        let mut files = String::new();
        for (name, certificates) in &seen.files {
            files.extend([format!("FILE {} {name}\n", now.as_second() - 3_600)]);
            files.extend(
                certificates
                    .iter()
                    .map(|name| minted[name].certificate_pem()),
            );
        }
        let found = NginxConfig::parse(seen.configuration.as_bytes(), files.as_bytes());
        evidence.record_nginx_config(InPod {
            gateway: gateway.clone(),
            pod: ObjectRef::new(Kind::Pod, "default", &seen.pod),
            at: now,
            versions: match seen.changed_since.as_slice() {
                [] => Versions::default(),
                changed => {
                    Versions::of(snapshot).with_older(changed.iter().map(|name| named(name)))
                }
            },
            found: seen.failed.clone().map_or(found, Err),
        });
    }
}

/// An object by `Kind/namespace/name`.
fn named(text: &str) -> ObjectRef {
    let mut parts = text.splitn(3, '/');
    let mut part = || parts.next().expect("Kind/namespace/name");
    let kind = Kind::parse(part()).expect("a kind");
    ObjectRef::new(kind, part(), part())
}

fn transcript(
    seen: &SeenByProbe,
    plan: &ProbePlan,
    minted: &BTreeMap<String, &Minted>,
    now: Timestamp,
) -> Transcript {
    let chain = seen
        .served
        .iter()
        .map(|name| {
            let der = minted[name].certificate.to_der().expect("DER");
            CertificateFacts::from_der(&der).expect("facts")
        })
        .collect();
    let has_identity = plan
        .tls
        .as_ref()
        .is_some_and(|tls| tls.client_certificate.is_some());
    Transcript {
        schema: SCHEMA.to_owned(),
        started_at: now.to_string(),
        duration_us: 2_900,
        target: format!("{}:{}", plan.endpoint.address, plan.endpoint.port),
        address: Some(format!("{}:{}", plan.endpoint.address, plan.endpoint.port)),
        protocol: plan.protocol,
        via: seen.via.clone().unwrap_or_else(|| "direct".to_owned()),
        engine: Engine {
            name: "openssl".to_owned(),
            version: "OpenSSL 3.5.5".to_owned(),
        },
        nginx: NginxVerdict {
            outcome: seen.outcome,
            verify_code: seen.verify_code,
            verify_text: None,
            alert: seen.alert,
            client_status: seen.client_status.or(seen.status),
            log_line: seen.log.clone(),
            sentence: String::new(),
        },
        not_proven: Vec::new(),
        judged_at: None,
        expires_first: None,
        second_opinion: None,
        tls: (plan.tls.is_some() && seen.version.as_deref() != Some("none")).then(|| TlsAgreed {
            version: seen.version.clone().unwrap_or_else(|| "TLSv1.3".to_owned()),
            cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
            group: None,
            alpn: None,
        }),
        verify_trace: Vec::new(),
        client_certificate: ClientCertificate {
            requested: seen.asks.is_some(),
            acceptable_cas: seen.asks.clone().unwrap_or_default(),
            sent: seen.asks.is_some() && has_identity,
            ..ClientCertificate::default()
        },
        server_chain: chain,
        steps: Vec::new(),
        records: Vec::new(),
        http: seen.status.map(|status| HttpAnswer {
            status,
            body: seen.body.clone(),
            server: seen.server.clone(),
        }),
    }
}
