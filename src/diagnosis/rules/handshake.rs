//! T and B: what probes showed, in both directions.

use std::collections::{BTreeMap, BTreeSet};

use ngf_probes::{
    certificate::CertificateFacts,
    transcript::{Outcome, Transcript},
};

use crate::{
    diagnosis::{
        context::Context,
        engine::Findings,
        evidence::Probed,
        finding::{Finding, Mark, Remedy, Severity},
        ngf::known,
        plan::{PlannedTls, ProbePlan, TrustSource},
        registry::Rule,
        rules::expiry,
        words::{self, list},
    },
    model::{kind::Kind, object::ObjectRef, snapshot::Lookup, topology::host_and_port},
};

macro_rules! probed {
    ($name:ident, $code:literal, $severity:ident, $title:literal, $explanation:literal, $remedy:literal) => {
        pub(in crate::diagnosis) const $name: Rule = Rule {
            code: $code,
            severity: Severity::$severity,
            title: $title,
            explanation: $explanation,
            remedy: $remedy,
            causes: &[],
            check: |context, findings| probed(context, findings, $code),
        };
    };
}

probed!(
    T1,
    "NGF-T1",
    Error,
    "The CA that the policy names did not sign what the backend presents",
    "nginx builds a chain from the presented certificates to a root in the bundle, and finds none: another CA, a CA that was rotated (same name, another key), or a missing intermediate. It logs verify code 21, 20, 19 or 7; clients get 502.",
    "Name the CA that signed the backend's certificate, reissue the certificate from the CA that is named, or let the backend send its intermediates."
);
probed!(
    T2,
    "NGF-T2",
    Error,
    "The backend's chain has more intermediates than nginx follows",
    "NGF renders proxy_ssl_verify_depth 4: four intermediates pass, five do not (verify code 20). Clients get 502.",
    "Shorten the chain, or put a nearer CA that is self-signed into the bundle."
);
probed!(
    T3,
    "NGF-T3",
    Error,
    "The policy's bundle holds only an intermediate",
    "nginx does not accept partial chains: the self-signed root must be in the bundle (verify code 2). Clients get 502.",
    "Add the root to ca.crt."
);
probed!(
    T4,
    "NGF-T4",
    Error,
    "The backend presents a self-signed certificate that is not trusted",
    "Verify code 18. Using that very certificate as ca.crt would make nginx accept it. Clients get 502.",
    "Name that certificate as the policy's CA, or let the backend present one that the CA signed."
);
probed!(
    T5,
    "NGF-T5",
    Error,
    "The backend's certificate, or one in its chain, has expired",
    "Verify code 10; it hides other faults, because nginx reports the last one. Requests on connections that are kept alive, or that resume a session, may still pass for a while. Clients get 502.",
    "Renew the certificate, and let the backend load it."
);
probed!(
    T6,
    "NGF-T6",
    Error,
    "The backend's certificate is not valid yet",
    "Verify code 9. The clocks of issuer and node differ, or it was issued for later. Clients get 502.",
    "Check the clocks, or wait."
);
probed!(
    T7,
    "NGF-T7",
    Error,
    "The backend's certificate is not made for servers",
    "Verify code 26: its extended key usage lacks serverAuth, or a CA certificate is used as a leaf. Clients get 502.",
    "Reissue it with the usage server auth."
);
probed!(
    T8,
    "NGF-T8",
    Error,
    "The backend's certificate is for another name than the policy's hostname",
    "nginx checks the leaf against validation.hostname alone: its DNS names, or its common name where it has none. subjectAltNames of the policy are ignored by NGF. Clients get 502.",
    "Set validation.hostname to a name in the certificate, or reissue the certificate with the name."
);
probed!(
    T9,
    "NGF-T9",
    Error,
    "The policy's hostname is an IP address, which nginx never finds in an IP SAN",
    "OpenSSL's X509_check_host, which nginx uses, looks at DNS names and common names only.",
    "Use a DNS name that the certificate carries."
);
probed!(
    T10,
    "NGF-T10",
    Error,
    "The backend does not know the server name that nginx sends",
    "nginx sends validation.hostname as server name, and the backend answers with alert 112 (unrecognized_name). Clients get 502.",
    "Set validation.hostname to a name that the backend serves."
);
probed!(
    T11,
    "NGF-T11",
    Error,
    "nginx and the backend have no TLS version or cipher in common",
    "Alert 70 for the version, 40 for the cipher. Clients get 502.",
    "Let the backend speak TLS 1.2 or 1.3 with a cipher that OpenSSL's defaults hold."
);
probed!(
    T12,
    "NGF-T12",
    Error,
    "The port does not speak TLS",
    "A policy takes effect on it, so nginx sends a ClientHello, and gets plain text (`wrong version number`). Clients get 502.",
    "Point the route at the TLS port, or remove the policy from this one with a sectionName."
);
probed!(
    T13,
    "NGF-T13",
    Error,
    "The backend closes the connection during the handshake",
    "Without an alert. A server that waits for the PROXY protocol does so, and a sidecar with strict mutual TLS. Clients get 502.",
    "Look at the backend's log of that moment."
);
probed!(
    T14,
    "NGF-T14",
    Error,
    "nginx cannot connect to the backend, or gets no answer in time",
    "Refused or unreachable gives 502, a time-out 504. A NetworkPolicy that drops packets looks like a time-out, and only from where it applies.",
    "See whether the process listens on that port and whether a NetworkPolicy stands between."
);
probed!(
    T20,
    "NGF-T20",
    Error,
    "nginx refuses the backend's certificate",
    "OpenSSL reports a verify error that has no entry of its own here. Clients get 502.",
    "See what the code says."
);
probed!(
    T21,
    "NGF-T21",
    Error,
    "The TLS handshake with the backend fails",
    "With an alert or an error that has no entry of its own here. Clients get 502.",
    "See what the log line says."
);
probed!(
    B1,
    "NGF-B1",
    Error,
    "The backend demands a client certificate, and nginx presents none",
    "An nginx backend finishes the handshake and answers 400 `No required SSL certificate was sent`, in TLS 1.2 and 1.3 alike. The gateway passes it on.",
    "Give the Gateway a client certificate that the backend trusts: spec.tls.backend.clientCertificateRef."
);
probed!(
    B2,
    "NGF-B2",
    Error,
    "The backend refuses the client certificate that nginx presents",
    "An nginx backend answers 400 `The SSL certificate error`; its log, at level info, says why: another CA, a missing intermediate (its ssl_verify_depth is 1), the wrong usage.",
    "Issue the Gateway's client certificate from the CA that the backend trusts."
);
probed!(
    B3,
    "NGF-B3",
    Error,
    "The backend refuses the client certificate, which is expired or not yet valid",
    "An nginx backend answers 400 `The SSL certificate error`. NGF presents the certificate whatever its dates.",
    "Renew the client certificate."
);
probed!(
    B4,
    "NGF-B4",
    Error,
    "The backend refuses the client certificate, which is not made for clients",
    "Its extended key usage lacks clientAuth; an nginx backend answers 400 `The SSL certificate error`.",
    "Reissue it with the usage client auth."
);
probed!(
    B7,
    "NGF-B7",
    Info,
    "The backend does not enforce mutual TLS",
    "It asks for no client certificate, or takes requests without one. TLS holds in one direction only.",
    "If mutual TLS is meant, let the backend demand a certificate (nginx: ssl_verify_client on)."
);
probed!(
    B8,
    "NGF-B8",
    Error,
    "The Host header selects another server than the TLS server name did",
    "nginx sends validation.hostname as server name, and passes the client's Host on. A backend whose server for the one verifies clients and differs from the other answers 421.",
    "Let the policy's hostname be the route's, or set the Host with a URLRewrite filter."
);
probed!(
    B9,
    "NGF-B9",
    Error,
    "nginx speaks plain HTTP to a port that wants TLS",
    "No BackendTLSPolicy takes effect on the port. An nginx backend answers 400 `The plain HTTP request was sent to HTTPS port`; others close the connection.",
    "Create a BackendTLSPolicy that targets the Service, in the Service's namespace."
);
probed!(
    B10,
    "NGF-B10",
    Error,
    "The backend refuses the client certificate, or its absence, with an alert",
    "Alert 40 or 116: none was sent; 48: unknown CA; 45: expired; 42 or 43: not fit. nginx logs it at the handshake in TLS 1.2. Clients get 502.",
    "Give the Gateway a client certificate that the backend trusts."
);
probed!(
    B11,
    "NGF-B11",
    Error,
    "The backend refuses the client certificate, or its absence, after the handshake",
    "In TLS 1.3 the server judges the client's certificate when the client believes the handshake is done: nginx logs the alert, or a bare reset, while reading the response header. Clients get 502.",
    "Give the Gateway a client certificate that the backend trusts."
);

/// What a probe showed; `None` where all was well.
fn code_of(probed: &Probed, transcript: &Transcript) -> Option<&'static str> {
    let nginx = &transcript.nginx;
    let asked = transcript.client_certificate.requested;
    match nginx.outcome {
        Outcome::Ok => {
            let mutual = asked && transcript.client_certificate.sent;
            (probed.plan.tls.is_some() && !mutual).then_some("NGF-B7")
        }
        Outcome::VerifyError => Some(verify_code(transcript)),
        Outcome::NameMismatch => {
            let hostname = probed.plan.tls.as_ref().map(|tls| tls.hostname.as_str());
            let is_address = hostname.is_some_and(|name| name.parse::<std::net::IpAddr>().is_ok());
            Some(if is_address { "NGF-T9" } else { "NGF-T8" })
        }
        Outcome::TlsError => Some(tls_error(transcript, asked)),
        Outcome::ConnectError | Outcome::Timeout => Some("NGF-T14"),
        Outcome::Closed if transcript.tls.is_some() && asked => Some("NGF-B11"),
        Outcome::Closed if probed.plan.tls.is_some() => Some("NGF-T13"),
        Outcome::Closed => Some("NGF-B9"),
        Outcome::HttpError => http_error(probed, transcript),
    }
}

fn verify_code(transcript: &Transcript) -> &'static str {
    match transcript.nginx.verify_code {
        // Five intermediates and the leaf; with fewer it is the root that is unknown.
        Some(20) if transcript.server_chain.len() > 5 => "NGF-T2",
        Some(7 | 19 | 20 | 21) => "NGF-T1",
        Some(2) => "NGF-T3",
        Some(18) => "NGF-T4",
        Some(10) => "NGF-T5",
        Some(9) => "NGF-T6",
        Some(26) => "NGF-T7",
        _ => "NGF-T20",
    }
}

/// Alert numbers of RFC 8446 §6, as the facts of OpenSSL backends have them.
fn tls_error(transcript: &Transcript, asked: bool) -> &'static str {
    let after_handshake = transcript
        .tls
        .as_ref()
        .is_some_and(|tls| tls.version == "TLSv1.3");
    let refused = if after_handshake {
        "NGF-B11"
    } else {
        "NGF-B10"
    };
    let line = transcript.nginx.log_line.as_deref().unwrap_or_default();
    match transcript.nginx.alert {
        Some(112) => "NGF-T10",
        Some(70) => "NGF-T11",
        Some(40 | 116) if asked => refused,
        Some(40) => "NGF-T11",
        Some(42 | 43 | 44 | 45 | 46 | 48 | 49) if asked => refused,
        None if line.contains("wrong version number") => "NGF-T12",
        _ => "NGF-T21",
    }
}

/// The 400 pages of nginx (`ngx_http_special_response.c`); what else a backend answers is its own
/// affair.
fn http_error(probed: &Probed, transcript: &Transcript) -> Option<&'static str> {
    let answer = transcript.http.as_ref()?;
    let body = answer.body.as_str();
    match answer.status {
        400 if body.contains("No required SSL certificate was sent") => Some("NGF-B1"),
        400 if body.contains("The SSL certificate error") => Some("NGF-B2"),
        400 if body.contains("plain HTTP request was sent to HTTPS port") => Some("NGF-B9"),
        421 if probed.plan.tls.is_some() => Some("NGF-B8"),
        _ => None,
    }
}

/// Services that a probe showed to want TLS, and to which nginx speaks plain HTTP (B9).
pub(super) fn wanting_tls<'a>(context: &'a Context<'_>) -> BTreeSet<&'a ObjectRef> {
    context
        .probes
        .iter()
        .filter_map(|probed| {
            let transcript = probed.result.as_ref().ok()?;
            (code_of(probed, transcript) == Some("NGF-B9")).then_some(&probed.plan.service)
        })
        .collect()
}

/// B2, told apart by what is known of the client certificate.
fn refused_why(context: &Context<'_>, plan: &ProbePlan) -> &'static str {
    let leaf = client_leaf(context, plan);
    let now = context.now.as_second();
    match leaf {
        Some(leaf) if leaf.not_after < now || leaf.not_before > now => "NGF-B3",
        Some(leaf) if !expiry::may(leaf, "clientAuth") => "NGF-B4",
        _ => "NGF-B2",
    }
}

fn client_leaf<'a>(context: &'a Context<'_>, plan: &ProbePlan) -> Option<&'a CertificateFacts> {
    let secret = plan.tls.as_ref()?.client_certificate.as_ref()?;
    match known::secret(context.snapshot, secret) {
        Lookup::Found(secret) => secret.spec.certificate.certificates().first(),
        _ => None,
    }
}

type Seen<'a> = (&'a Probed, &'a Transcript);

/// Probes of one Service port from one Gateway that ended alike make one finding.
fn probed(context: &Context<'_>, findings: &mut Findings, code: &'static str) {
    let mut groups: BTreeMap<(&ObjectRef, &ObjectRef, u16), (Vec<Seen<'_>>, BTreeSet<String>)> =
        BTreeMap::new();
    for probed in &context.probes {
        let Ok(transcript) = &probed.result else {
            continue;
        };
        let plan = &probed.plan;
        let (alike, all) = groups
            .entry((&plan.gateway, &plan.service, plan.port))
            .or_default();
        all.insert(host_and_port(&plan.endpoint.address, plan.endpoint.port));
        let found = code_of(probed, transcript).map(|found| match found {
            "NGF-B2" => refused_why(context, plan),
            found => found,
        });
        if found == Some(code) {
            alike.push((probed, transcript));
        }
    }
    for (alike, all) in groups.values() {
        if let Some(finding) = finding(context, code, alike, all.len()) {
            findings.add(finding);
        }
    }
}

fn finding(
    context: &Context<'_>,
    code: &'static str,
    alike: &[Seen<'_>],
    endpoints: usize,
) -> Option<Finding> {
    let (probed, transcript) = *alike.first()?;
    let plan = &probed.plan;
    let failing: BTreeSet<String> = alike
        .iter()
        .map(|(probed, _)| {
            let endpoint = &probed.plan.endpoint;
            host_and_port(&endpoint.address, endpoint.port)
        })
        .collect();
    let severity = match code {
        "NGF-B7" => Severity::Info,
        // T16: nginx tries the next endpoint, and clients mostly get 200.
        _ if failing.len() < endpoints => Severity::Warning,
        _ => Severity::Error,
    };
    let subject = subject(code, plan);
    let mut finding = Finding::new(
        code,
        severity,
        subject,
        title(context, code, plan, transcript),
    )
    .scope(objects(plan).iter());
    if severity != Severity::Info {
        finding.marks.clear();
        for (probed, _) in alike {
            let plan = &probed.plan;
            finding = finding.mark(Mark::Endpoint {
                service: plan.service.clone(),
                port: plan.port,
                address: plan.endpoint.address.clone(),
                endpoint_port: plan.endpoint.port,
            });
        }
    }
    finding = explain(context, code, plan, transcript, finding);
    let place = format!(
        "probe of {} {} ago",
        list(&failing, 2),
        words::span(context.now.as_second() - probed.at.as_second())
    );
    if let Some(line) = &transcript.nginx.log_line {
        finding = finding.evidence("nginx would log", line, &place);
    }
    // After a bad certificate nginx never sees the answer that the probe waits for.
    if let Some(answer) = &transcript.http
        && transcript.nginx.outcome == Outcome::HttpError
    {
        finding = finding.evidence("answer", answer_text(answer.status, &answer.body), &place);
    }
    if code != "NGF-B7" {
        finding = finding.breaks(effect(plan, transcript, failing.len(), endpoints));
    }
    Some(match remedy(context, code, plan, transcript) {
        Some(remedy) => finding.remedy(remedy),
        None => finding,
    })
}

fn effect(plan: &ProbePlan, transcript: &Transcript, failing: usize, endpoints: usize) -> String {
    let status = transcript
        .nginx
        .client_status
        .map_or_else(|| "an error".to_owned(), |status| status.to_string());
    let share = format!("{failing} of {endpoints} endpoints");
    if failing < endpoints {
        format!(
            "{share}: nginx tries the next one, so that clients of {} mostly get an answer, later",
            plan.route
        )
    } else {
        format!("{share}: clients of {} get {status}", plan.route)
    }
}

/// `400 No required SSL certificate was sent`.
fn answer_text(status: u16, body: &str) -> String {
    let title = body
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"))
        .map_or_else(
            || body.lines().next().unwrap_or_default(),
            |(title, _)| title,
        );
    let title: String = title.chars().take(120).collect();
    if title.starts_with(&status.to_string()) {
        title
    } else {
        format!("{status} {title}")
    }
}

/// All that a connection depends on.
fn objects(plan: &ProbePlan) -> Vec<ObjectRef> {
    let mut objects = vec![
        plan.gateway.clone(),
        plan.route.clone(),
        plan.service.clone(),
    ];
    if let Some(tls) = &plan.tls {
        objects.push(tls.policy.clone());
        objects.extend(tls.client_certificate.clone());
        if let TrustSource::Object { object, .. } = &tls.trust {
            objects.push(object.clone());
        }
    }
    objects
}

/// Where to look first.
fn subject<'a>(code: &str, plan: &'a ProbePlan) -> &'a ObjectRef {
    let policy = plan.tls.as_ref().map_or(&plan.service, |tls| &tls.policy);
    match code {
        "NGF-T1" | "NGF-T3" | "NGF-T8" | "NGF-T9" | "NGF-T10" | "NGF-T12" | "NGF-B8" => policy,
        "NGF-B1" | "NGF-B2" | "NGF-B3" | "NGF-B4" | "NGF-B10" | "NGF-B11" => &plan.gateway,
        _ => &plan.service,
    }
}

fn title(context: &Context<'_>, code: &str, plan: &ProbePlan, transcript: &Transcript) -> String {
    let service = format!("{}:{}", plan.service, plan.port);
    let nginx = &transcript.nginx;
    let leaf = transcript.server_chain.first();
    let tls = plan.tls.as_ref();
    let hostname = tls.map_or("", |tls| tls.hostname.as_str());
    let trust = tls.map_or_else(String::new, trust_text);
    let now = context.now.as_second();
    match code {
        "NGF-T1" => format!("{trust} did not sign the certificate that {service} presents"),
        "NGF-T2" => format!(
            "{service} sends {} intermediates, and nginx follows four",
            transcript.server_chain.len().saturating_sub(1)
        ),
        "NGF-T3" => format!("{trust} holds no root for the certificate that {service} presents"),
        "NGF-T4" => {
            format!("{service} presents a self-signed certificate that {trust} does not hold")
        }
        "NGF-T5" => match leaf.filter(|leaf| leaf.not_after < now) {
            Some(leaf) => format!(
                "The certificate that {service} presents expired {} ago",
                words::span(now - leaf.not_after)
            ),
            None => format!("A certificate above the one that {service} presents has expired"),
        },
        "NGF-T6" => format!("The certificate that {service} presents is not valid yet"),
        "NGF-T7" => format!("The certificate that {service} presents is not made for servers"),
        "NGF-T8" => format!(
            "The certificate that {service} presents is not for {hostname}, which the policy asks for"
        ),
        "NGF-T9" => format!(
            "The policy's hostname {hostname} is an IP address, which nginx finds in no certificate's IP SAN"
        ),
        "NGF-T10" => format!("{service} does not know the name {hostname}"),
        "NGF-T11" => format!("nginx and {service} have no TLS version or cipher in common"),
        "NGF-T12" => format!("{service} does not speak TLS, and a policy makes nginx speak it"),
        "NGF-T13" => format!("{service} closes the connection during the handshake"),
        "NGF-T14" if nginx.outcome == Outcome::Timeout => {
            format!("{service} does not answer in time")
        }
        "NGF-T14" => format!("nginx cannot connect to {service}"),
        "NGF-B1" => format!(
            "{service} demands a client certificate, and {} presents none",
            plan.gateway
        ),
        "NGF-B2" => format!(
            "{service} refuses the client certificate of {}",
            plan.gateway
        ),
        "NGF-B3" => format!(
            "{service} refuses the client certificate of {}, which is not valid now",
            plan.gateway
        ),
        "NGF-B4" => format!(
            "{service} refuses the client certificate of {}, which is not made for clients",
            plan.gateway
        ),
        "NGF-B7" if transcript.client_certificate.requested => {
            format!("{service} asks for a client certificate and does not insist on one")
        }
        "NGF-B7" => format!("{service} never asks for a client certificate: this is no mutual TLS"),
        "NGF-B8" => format!(
            "{service} has another server for the Host {} than for the name {hostname}",
            plan.host
        ),
        "NGF-B9" => format!("nginx speaks plain HTTP to {service}, which wants TLS"),
        "NGF-B10" | "NGF-B11" if !transcript.client_certificate.sent => format!(
            "{service} demands a client certificate, and {} presents none",
            plan.gateway
        ),
        "NGF-B10" | "NGF-B11" => format!(
            "{service} refuses the client certificate of {}",
            plan.gateway
        ),
        "NGF-T20" => format!(
            "nginx refuses the certificate that {service} presents: {}",
            nginx.verify_text.as_deref().unwrap_or("verify error")
        ),
        _ => format!("The TLS handshake with {service} fails"),
    }
}

fn trust_text(tls: &PlannedTls) -> String {
    match &tls.trust {
        TrustSource::Object { object, .. } => format!("The CA in {object}"),
        TrustSource::System => "No CA of the data plane's system".to_owned(),
    }
}

fn explain(
    context: &Context<'_>,
    code: &str,
    plan: &ProbePlan,
    transcript: &Transcript,
    mut finding: Finding,
) -> Finding {
    let presented = format!("presented by {}:{}", plan.service.path(), plan.port);
    let leaf = transcript.server_chain.first();
    match code {
        "NGF-T1" | "NGF-T2" | "NGF-T3" | "NGF-T4" | "NGF-T20" => {
            for facts in transcript.server_chain.iter().take(2) {
                finding = finding.evidence(
                    "certificate",
                    format!("{}, issued by {}", facts.subject, facts.issuer),
                    &presented,
                );
            }
            for facts in trusted(context, plan).iter().take(2) {
                finding = finding.evidence(
                    "trusted CA",
                    format!(
                        "{} {}",
                        facts.subject,
                        short_print(&facts.fingerprint_sha256)
                    ),
                    plan.tls
                        .as_ref()
                        .map_or_else(String::new, |tls| tls.trust.to_string()),
                );
            }
            if code == "NGF-T1" {
                finding = same_name_other_key(context, plan, transcript, finding);
            }
            finding
        }
        "NGF-T5" | "NGF-T6" => match leaf {
            Some(leaf) => finding.evidence("valid", expiry::validity(leaf), presented),
            None => finding,
        },
        "NGF-T7" => match leaf {
            Some(leaf) => finding.evidence(
                "extended key usage",
                list(&leaf.extended_key_usage, 6),
                presented,
            ),
            None => finding,
        },
        "NGF-T8" => match leaf {
            Some(leaf) if leaf.dns_names.is_empty() => {
                finding.evidence("subject (it has no DNS names)", &leaf.subject, presented)
            }
            Some(leaf) => finding.evidence("DNS names", list(&leaf.dns_names, 8), presented),
            None => finding,
        },
        "NGF-B1" | "NGF-B2" | "NGF-B3" | "NGF-B4" | "NGF-B10" | "NGF-B11" => {
            client_side(context, plan, transcript, finding)
        }
        _ => finding,
    }
}

/// A rotated CA: the name is the one that is trusted, and the key is not.
fn same_name_other_key(
    context: &Context<'_>,
    plan: &ProbePlan,
    transcript: &Transcript,
    finding: Finding,
) -> Finding {
    let Some(last) = transcript.server_chain.last() else {
        return finding;
    };
    let namesake = trusted(context, plan)
        .iter()
        .find(|facts| facts.subject == last.issuer);
    match namesake {
        Some(ca) if !ngf_probes::chain::signed_by(&last.der, &ca.der) && !last.der.is_empty() => {
            finding.because(format!(
                "The CA has the issuer's name, {}, and another key: it was rotated, or made twice.",
                last.issuer
            ))
        }
        Some(_) => finding,
        None => finding.because(format!(
            "The issuer {} is not among the trusted CAs, and the backend sends no certificate of it that one of them signed.",
            last.issuer
        )),
    }
}

fn trusted<'a>(context: &'a Context<'_>, plan: &ProbePlan) -> &'a [CertificateFacts] {
    let Some(TrustSource::Object { object, .. }) = plan.tls.as_ref().map(|tls| &tls.trust) else {
        return &[];
    };
    if object.kind == Kind::Secret {
        match known::secret(context.snapshot, object) {
            Lookup::Found(secret) => secret.spec.ca.certificates(),
            _ => &[],
        }
    } else {
        match known::config_map(context.snapshot, object) {
            Lookup::Found(map) => map.spec.ca.certificates(),
            _ => &[],
        }
    }
}

fn client_side(
    context: &Context<'_>,
    plan: &ProbePlan,
    transcript: &Transcript,
    mut finding: Finding,
) -> Finding {
    let asked = &transcript.client_certificate;
    let service = format!("{}:{}", plan.service.path(), plan.port);
    if asked.acceptable_cas.is_empty() {
        finding = finding.because("The backend named no CA in its request.");
    } else {
        finding = finding.evidence(
            "CAs that the backend names",
            list(&asked.acceptable_cas, 4),
            format!("CertificateRequest of {service}"),
        );
    }
    if let (Some(leaf), Some(secret)) = (
        client_leaf(context, plan),
        plan.tls
            .as_ref()
            .and_then(|tls| tls.client_certificate.as_ref()),
    ) {
        finding = finding.evidence(
            "client certificate",
            format!("{}, issued by {}", leaf.subject, leaf.issuer),
            format!("{secret}[tls.crt]"),
        );
        if !asked.acceptable_cas.is_empty() && !asked.acceptable_cas.contains(&leaf.issuer) {
            finding = finding.because(format!(
                "Its issuer, {}, is none of the CAs that the backend names.",
                leaf.issuer
            ));
        }
    }
    finding
}

/// `ab:12:…:9f`.
pub(super) fn short_print(fingerprint: &str) -> String {
    let parts: Vec<&str> = fingerprint.split(':').collect();
    match parts.as_slice() {
        [first, second, .., last] => format!("{first}:{second}:…:{last}"),
        _ => fingerprint.to_owned(),
    }
}

fn remedy(
    context: &Context<'_>,
    code: &str,
    plan: &ProbePlan,
    transcript: &Transcript,
) -> Option<Remedy> {
    let policy = plan.tls.as_ref().map(|tls| &tls.policy);
    let leaf = transcript.server_chain.first();
    let client = plan
        .tls
        .as_ref()
        .and_then(|tls| tls.client_certificate.as_ref());
    Some(match code {
        "NGF-T1" | "NGF-T4" => Remedy::say(format!(
            "Name in {} the CA that signed the backend's certificate{}, or reissue the certificate from the CA that is named.",
            policy?,
            leaf.map_or_else(String::new, |leaf| format!(" ({})", leaf.issuer))
        )),
        "NGF-T3" => {
            Remedy::say("Add the self-signed root to ca.crt: nginx accepts no partial chain.")
        }
        "NGF-T8" | "NGF-T9" => {
            let policy = policy?;
            let name = leaf.and_then(|leaf| {
                leaf.dns_names
                    .iter()
                    .find(|name| !name.starts_with("*."))
                    .or(leaf.dns_names.first())
            });
            match name {
                Some(name) if !name.starts_with("*.") => Remedy::command(
                    "Set the policy's hostname to a name in the certificate, or reissue the certificate.",
                    format!(
                        "kubectl -n {} patch backendtlspolicy {} --type=merge -p '{{\"spec\":{{\"validation\":{{\"hostname\":\"{name}\"}}}}}}'",
                        policy.namespace, policy.name
                    ),
                ),
                _ => Remedy::say(
                    "Set validation.hostname to a name in the certificate, or reissue the certificate with the name.",
                ),
            }
        }
        "NGF-T10" => Remedy::say(format!(
            "Set validation.hostname of {} to a name that the backend serves.",
            policy?
        )),
        "NGF-T12" => Remedy::say(format!(
            "Let the route refer to the Service's TLS port, or take port {} out of {} with a sectionName.",
            plan.port, policy?
        )),
        "NGF-B1" | "NGF-B10" | "NGF-B11" if client.is_none() => Remedy::yaml(
            format!("Name a client certificate in {}.", plan.gateway),
            "spec:\n  tls:\n    backend:\n      clientCertificateRef:\n        kind: Secret\n        name: gateway-client-cert\n",
        ),
        "NGF-B1" => Remedy::say(format!(
            "{} names {}, but nginx did not present it: see whether the Gateway is programmed.",
            plan.gateway, client?
        )),
        "NGF-B2" | "NGF-B10" | "NGF-B11" => {
            let cas = &transcript.client_certificate.acceptable_cas;
            let from = if cas.is_empty() {
                String::new()
            } else {
                format!(" ({})", list(cas, 2))
            };
            Remedy::say(format!(
                "Issue the certificate in {} from the CA that the backend trusts{from}, or let the backend trust its issuer.",
                client?
            ))
        }
        "NGF-B3" | "NGF-B4" => expiry::reissue(context, client?),
        "NGF-B8" => Remedy::yaml(
            "Let the policy's hostname and the Host header be one, by changing the one or rewriting the other.",
            format!(
                "filters:\n- type: URLRewrite\n  urlRewrite:\n    hostname: {}\n",
                plan.tls.as_ref()?.hostname
            ),
        ),
        "NGF-B9" => Remedy::yaml(
            "Create a BackendTLSPolicy for the Service.",
            format!(
                "apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  targetRefs:\n  - group: \"\"\n    kind: Service\n    name: {name}\n  validation:\n    caCertificateRefs:\n    - group: \"\"\n      kind: ConfigMap\n      name: {name}-ca\n    hostname: NAME.IN.THE.CERTIFICATE\n",
                name = plan.service.name,
                namespace = plan.service.namespace
            ),
        ),
        "NGF-T14" => {
            let pod = plan.endpoint.pod.as_ref()?;
            Remedy::command(
                "See whether the process listens there, and whether a NetworkPolicy stands between.",
                format!(
                    "kubectl -n {ns} logs {name} --tail=50\nkubectl -n {ns} get networkpolicies",
                    ns = pod.namespace,
                    name = pod.name
                ),
            )
        }
        "NGF-T5" | "NGF-T6" | "NGF-T7" => Remedy::say(
            "Renew the backend's certificate, and let the backend load it: many servers read it only at start.",
        ),
        "NGF-T13" => {
            let pod = plan.endpoint.pod.as_ref()?;
            Remedy::command(
                "Look at the backend's log of that moment: a PROXY protocol listener or a sidecar closes like this.",
                format!("kubectl -n {} logs {} --tail=50", pod.namespace, pod.name),
            )
        }
        _ => return None,
    })
}

pub(in crate::diagnosis) const G8: Rule = Rule {
    code: "NGF-G8",
    severity: Severity::Error,
    title: "The Gateway names no client certificate, and a backend demands one",
    explanation: "Without spec.tls.backend.clientCertificateRef nginx presents none, and no condition says that a backend wants one.",
    remedy: "Set spec.tls.backend.clientCertificateRef.",
    causes: &["NGF-B1", "NGF-B10", "NGF-B11"],
    check: |context, findings| {
        let mut seen = BTreeSet::new();
        for probed in &context.probes {
            let Ok(transcript) = &probed.result else {
                continue;
            };
            let plan = &probed.plan;
            let Some((gateway, _)) = context.gateways.get(&plan.gateway) else {
                continue;
            };
            let demanded = matches!(
                code_of(probed, transcript),
                Some("NGF-B1" | "NGF-B10" | "NGF-B11")
            ) && !transcript.client_certificate.sent;
            let names_none = gateway.spec.client_certificate_ref.is_none();
            if demanded
                && names_none
                && plan.route.kind != Kind::GRPCRoute
                && seen.insert(&plan.gateway)
            {
                findings.add(
                    Finding::new(
                        "NGF-G8",
                        Severity::Error,
                        &plan.gateway,
                        format!(
                            "{} names no client certificate, and {}:{} demands one",
                            plan.gateway, plan.service, plan.port
                        ),
                    )
                    .because("No condition says so: NGF does not know what a backend asks for.")
                    .evidence(
                        "spec.tls.backend.clientCertificateRef",
                        "not set",
                        plan.gateway.to_string(),
                    )
                    .remedy(Remedy::yaml(
                        format!("Name a TLS Secret in {} whose certificate the backend trusts.", plan.gateway),
                        "spec:\n  tls:\n    backend:\n      clientCertificateRef:\n        kind: Secret\n        name: gateway-client-cert\n",
                    )),
                );
            }
        }
    },
};

pub(in crate::diagnosis) const K5: Rule = Rule {
    code: "NGF-K5",
    severity: Severity::Warning,
    title: "A probe could not be run",
    explanation: "What the backend would do is not known: the tool could not read what it needs, or the way to the backend failed.",
    remedy: "See what the sentence asks for.",
    causes: &[],
    check: |context, findings| {
        let mut by_reason: BTreeMap<(&str, &ObjectRef), Vec<&Probed>> = BTreeMap::new();
        for probed in &context.probes {
            if let Err(why) = &probed.result {
                by_reason
                    .entry((why, &probed.plan.service))
                    .or_default()
                    .push(probed);
            }
        }
        for ((why, service), probes) in by_reason {
            let mut finding = Finding::new(
                "NGF-K5",
                Severity::Warning,
                service,
                format!("{service} could not be probed: {why}"),
            )
            .unknown();
            finding.marks.clear();
            for probed in probes {
                let plan = &probed.plan;
                finding = finding.mark(Mark::Endpoint {
                    service: plan.service.clone(),
                    port: plan.port,
                    address: plan.endpoint.address.clone(),
                    endpoint_port: plan.endpoint.port,
                });
            }
            findings.add(finding);
        }
    },
};
