//! T and B: what probes showed, in both directions.

mod code;
pub(in crate::diagnosis) mod demanded;
pub(in crate::diagnosis) mod one_certificate;
mod refusal;
pub(in crate::diagnosis::rules) mod remedy;
mod sentence;
mod shown;
pub(in crate::diagnosis) mod upstream;

use code::code_of;
pub(super) use code::{no_http2, wanting_tls};
pub(super) use refusal::{Refusal, refusal, untrusted};
pub(super) use remedy::deeper;
use remedy::remedy;
use sentence::{answer_text, effect, title};
pub(super) use sentence::{depth_text, objects, subject, too_deep, trust_text};
use shown::explain;
use std::collections::{BTreeMap, BTreeSet};

use ngf_tls::transcript::{Outcome, Transcript};

use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        evidence::Probed,
        finding::{Finding, Mark, Severity},
        plan::ProbePlan,
        rule::{Need, Rule},
        words::{self, list},
    },
    model::object::ObjectRef,
};
use ngf_text::host_and_port;

macro_rules! probed {
    ($name:ident, $code:expr, $needs:expr, $severity:ident, $title:literal, $explanation:literal, $remedy:literal) => {
        pub(in crate::diagnosis) const $name: Rule = Rule {
            code: $code,
            severity: Severity::$severity,
            title: $title,
            explanation: $explanation,
            remedy: $remedy,
            causes: &[Code::T15, Code::T16, Code::T17, Code::T18, Code::R14],
            needs: $needs,
            check: |context, findings| {
                probed(context, findings, $code);
                super::logs::said(context, findings, $code);
            },
        };
    };
}

probed!(
    T1,
    Code::T1,
    &[Need::Paths, Need::Handshake],
    Error,
    "The CA that the policy names did not sign what the backend presents",
    "nginx builds a chain from the presented certificates to a root in the bundle, and finds none: another CA, a CA that was rotated (same name, another key), or a missing intermediate. It logs verify code 21, 20, 19 or 7; clients get 502.",
    "Name the CA that signed the backend's certificate, reissue the certificate from the CA that is named, or let the backend send its intermediates."
);

probed!(
    T2,
    Code::T2,
    &[Need::Paths, Need::Handshake, Need::Certificates, Need::Pods],
    Error,
    "The backend's chain has more intermediates than nginx follows",
    "NGF renders proxy_ssl_verify_depth 4 since 2.6: four intermediates pass, five do not (verify code 20). Before, nginx's default of 1 held. Clients get 502.",
    "Shorten the chain, or put a nearer CA that is self-signed into the bundle."
);

probed!(
    T3,
    Code::T3,
    &[Need::Paths, Need::Handshake],
    Error,
    "The policy's bundle holds only an intermediate",
    "nginx does not accept partial chains: the self-signed root must be in the bundle (verify code 2). Clients get 502.",
    "Add the root to ca.crt."
);

probed!(
    T4,
    Code::T4,
    &[Need::Paths, Need::Handshake],
    Error,
    "The backend presents a self-signed certificate that is not trusted",
    "Verify code 18. Using that very certificate as ca.crt would make nginx accept it. Clients get 502.",
    "Name that certificate as the policy's CA, or let the backend present one that the CA signed."
);

probed!(
    T5,
    Code::T5,
    &[Need::Paths, Need::Handshake],
    Error,
    "The backend's certificate, or one in its chain, has expired",
    "Verify code 10; it hides other faults, because nginx reports the last one. Requests on connections that are kept alive, or that resume a session, may still pass for a while. Clients get 502.",
    "Renew the certificate, and let the backend load it."
);

probed!(
    T6,
    Code::T6,
    &[Need::Paths, Need::Handshake],
    Error,
    "The backend's certificate is not valid yet",
    "Verify code 9. The clocks of issuer and node differ, or it was issued for later. Clients get 502.",
    "Check the clocks, or wait."
);

probed!(
    T7,
    Code::T7,
    &[Need::Paths, Need::Handshake],
    Error,
    "The backend's certificate is not made for servers",
    "Verify code 26: its extended key usage lacks serverAuth, or a CA certificate is used as a leaf. Clients get 502.",
    "Reissue it with the usage server auth."
);

probed!(
    T8,
    Code::T8,
    &[Need::Paths, Need::Handshake],
    Error,
    "The backend's certificate is for another name than the policy's hostname",
    "nginx checks the leaf against validation.hostname alone: its DNS names, or its common name where it has none. subjectAltNames of the policy are ignored by NGF. Clients get 502.",
    "Set validation.hostname to a name in the certificate, or reissue the certificate with the name."
);

pub(in crate::diagnosis) const T9: Rule = Rule {
    code: Code::T9,
    severity: Severity::Error,
    title: "The policy's hostname is an IP address, which nginx never finds in an IP SAN",
    explanation: "OpenSSL's X509_check_host, which nginx uses, looks at DNS names and common names only. Where nothing was probed, the policy alone tells.",
    remedy: "Use a DNS name that the certificate carries.",
    causes: T1.causes,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| {
        probed(context, findings, Code::T9);
        super::logs::said(context, findings, Code::T9);
        super::presented::address_as_hostname(context, findings);
    },
};

probed!(
    T10,
    Code::T10,
    &[Need::Paths, Need::Handshake],
    Error,
    "The backend does not know the server name that nginx sends",
    "nginx sends validation.hostname as server name, and the backend answers with alert 112 (unrecognized_name). Clients get 502.",
    "Set validation.hostname to a name that the backend serves."
);

probed!(
    T11,
    Code::T11,
    &[Need::Paths, Need::Handshake],
    Error,
    "nginx and the backend have no TLS version or cipher in common",
    "Alert 70 for the version, 40 for the cipher. Clients get 502.",
    "Let the backend speak TLS 1.2 or 1.3 with a cipher that OpenSSL's defaults hold."
);

probed!(
    T12,
    Code::T12,
    &[Need::Paths, Need::Handshake],
    Error,
    "The port does not speak TLS",
    "A policy takes effect on it, so nginx sends a ClientHello, and gets plain text (`wrong version number`; with OpenSSL 3.2 to 3.5 mostly `packet length too long`). Clients get 502.",
    "Point the route at the TLS port, or remove the policy from this one with a sectionName."
);

probed!(
    T13,
    Code::T13,
    &[Need::Paths, Need::Handshake],
    Error,
    "The backend closes the connection during the handshake",
    "Without an alert. A server that waits for the PROXY protocol does so, and a sidecar with strict mutual TLS. Clients get 502.",
    "Look at the backend's log of that moment."
);

probed!(
    T14,
    Code::T14,
    &[Need::Paths, Need::Handshake],
    Error,
    "nginx cannot connect to the backend, or gets no answer in time",
    "Refused or unreachable gives 502, a time-out 504. A NetworkPolicy that drops packets looks like a time-out, and only from where it applies.",
    "See whether the process listens on that port and whether a NetworkPolicy stands between."
);

probed!(
    T22,
    Code::T22,
    &[Need::Paths, Need::Handshake],
    Error,
    "The application answers too late, and TLS is fine",
    "The handshake is done and the request is sent; the answer does not come within nginx's proxy_read_timeout (60 s), or the connection stalls. It is neither the certificate nor the network's admission. Clients get 504.",
    "See why the application takes so long; nginx's time can be changed with a ProxySettingsPolicy or a SnippetsFilter (proxy_read_timeout)."
);

probed!(
    T20,
    Code::T20,
    &[Need::Paths, Need::Handshake],
    Error,
    "nginx refuses the backend's certificate",
    "OpenSSL reports a verify error that has no entry of its own here. Clients get 502.",
    "See what the code says."
);

probed!(
    T21,
    Code::T21,
    &[Need::Paths, Need::Handshake],
    Error,
    "The TLS handshake with the backend fails",
    "With an alert or an error that has no entry of its own here. Clients get 502.",
    "See what the log line says."
);

probed!(
    B1,
    Code::B1,
    &[Need::Paths, Need::Pods, Need::Handshake],
    Error,
    "The backend demands a client certificate, and nginx presents none",
    "An nginx backend finishes the handshake and answers 400 `No required SSL certificate was sent`, in TLS 1.2 and 1.3 alike. The gateway passes it on.",
    "Give the Gateway a client certificate that the backend trusts: spec.tls.backend.clientCertificateRef."
);

probed!(
    B2,
    Code::B2,
    &[Need::Paths, Need::Pods, Need::Handshake, Need::Certificates],
    Error,
    "The backend refuses the client certificate that nginx presents",
    "An nginx backend answers 400 `The SSL certificate error`; its log, at level info, says why. Where the evidence allows, a certificate that has expired (NGF-B3), the wrong usage (NGF-B4), a missing intermediate (NGF-B5) and a wrong CA in the backend (NGF-B6) are told apart from a client certificate of the wrong CA.",
    "Issue the Gateway's client certificate from the CA that the backend trusts."
);

probed!(
    B3,
    Code::B3,
    &[Need::Paths, Need::Pods, Need::Handshake, Need::Certificates],
    Error,
    "The backend refuses the client certificate, which is expired or not yet valid",
    "An nginx backend answers 400 `The SSL certificate error`. NGF presents the certificate whatever its dates.",
    "Renew the client certificate."
);

probed!(
    B4,
    Code::B4,
    &[Need::Paths, Need::Pods, Need::Handshake, Need::Certificates],
    Error,
    "The backend refuses the client certificate, which is not made for clients",
    "Its extended key usage lacks clientAuth; an nginx backend answers 400 `The SSL certificate error`.",
    "Reissue it with the usage client auth."
);

probed!(
    B5,
    Code::B5,
    &[Need::Paths, Need::Pods, Need::Handshake, Need::Certificates],
    Error,
    "The client certificate's intermediate is missing from its tls.crt",
    "nginx sends what tls.crt holds and nothing else. The backend trusts the CA above the intermediate, gets the leaf alone, and finds no path: an nginx backend answers 400 `The SSL certificate error`. It is told apart from NGF-B2 where the intermediate is known: from an issuer's Secret, a ca.crt, or what the backend itself sends.",
    "Put the intermediate behind the leaf in tls.crt."
);

probed!(
    B6,
    Code::B6,
    &[Need::Paths, Need::Pods, Need::Handshake, Need::Certificates],
    Error,
    "The backend trusts another CA for clients than the one that issued both sides' certificates",
    "The client certificate is from the CA that the backend's own certificate is from, or that its pods mount, and the backend asks for certificates of another, of which none is known: the wrong CA is mounted in it, or it has not loaded the right one. An nginx backend answers 400 `The SSL certificate error`.",
    "Mount the CA that issued the client certificate in the backend, and let the backend load it."
);

probed!(
    B7,
    Code::B7,
    &[Need::Paths, Need::Pods, Need::Handshake],
    Info,
    "The backend does not enforce mutual TLS",
    "It asks for no client certificate, or takes requests without one. TLS holds in one direction only.",
    "If mutual TLS is meant, let the backend demand a certificate (nginx: ssl_verify_client on)."
);

probed!(
    B8,
    Code::B8,
    &[Need::Paths, Need::Pods, Need::Handshake],
    Error,
    "The Host header selects another server than the TLS server name did",
    "nginx sends validation.hostname as server name, and passes the client's Host on. A backend whose server for the one verifies clients and differs from the other answers 421.",
    "Let the policy's hostname be the route's, or set the Host with a URLRewrite filter."
);

probed!(
    B9,
    Code::B9,
    &[Need::Paths, Need::Pods, Need::Handshake],
    Error,
    "nginx speaks plain HTTP to a port that wants TLS",
    "No BackendTLSPolicy takes effect on the port. An nginx backend answers 400 `The plain HTTP request was sent to HTTPS port`; others close the connection.",
    "Create a BackendTLSPolicy that targets the Service, in the Service's namespace."
);

probed!(
    B10,
    Code::B10,
    &[Need::Paths, Need::Pods, Need::Handshake],
    Error,
    "The backend refuses the client certificate, or its absence, with an alert",
    "Alert 40 or 116: none was sent; 48: unknown CA; 45: expired; 42 or 43: not fit. nginx logs it at the handshake in TLS 1.2. Clients get 502.",
    "Give the Gateway a client certificate that the backend trusts."
);

probed!(
    B11,
    Code::B11,
    &[Need::Paths, Need::Pods, Need::Handshake],
    Error,
    "The backend refuses the client certificate, or its absence, after the handshake",
    "In TLS 1.3 the server judges the client's certificate when the client believes the handshake is done: nginx logs the alert, or a bare reset, while reading the response header. Clients get 502.",
    "Give the Gateway a client certificate that the backend trusts."
);

probed!(
    B15,
    Code::B15,
    &[Need::Paths, Need::Pods, Need::Handshake],
    Error,
    "The backend refuses the client certificate because of its certificate revocation list",
    "A backend with ssl_crl looks up the client certificate in the CRL of its CA: a revoked one gives verify code 23. Without a CRL of that CA (code 3), or with an expired one (code 12), it refuses every client certificate. The backend logs the code and answers 400.",
    "Reissue a revoked certificate; else give the backend the current CRL."
);

probed!(
    B16,
    Code::B16,
    &[Need::Paths, Need::Pods, Need::Handshake],
    Error,
    "The backend does not speak HTTP/2, which nginx speaks to it",
    "nginx speaks HTTP/2 to the backends of a GRPCRoute and, since NGF 2.7, to ports with appProtocol kubernetes.io/h2c; over TLS it offers h2 by ALPN and nothing else. A backend that serves other protocols only ends the handshake with alert 120 (no_application_protocol), or takes the connection and answers in HTTP/1.1, which nginx reads as a frame that is too large. Clients get 502.",
    "Let the backend serve HTTP/2 (over TLS with h2 in its ALPN protocols; nginx: listen … ssl http2), or use an HTTPRoute to a port without appProtocol kubernetes.io/h2c."
);

/// Which intermediates are missing where a log alone says that the backend found no path (B5).
pub(super) fn incomplete_by_log(
    context: &Context<'_>,
    plan: &ProbePlan,
    finding: Finding,
) -> Finding {
    let seen = context.evidence.current(plan);
    let seen = seen.and_then(|probed| probed.result.as_ref().ok());
    let client = plan
        .tls
        .as_ref()
        .and_then(|tls| tls.client_certificate.as_ref());
    match (untrusted(context, plan, seen.map(|seen| &**seen)), client) {
        (Refusal::Incomplete(missing), Some(client)) => {
            shown::incomplete(finding, &missing).remedy(remedy::complete(context, client, &missing))
        }
        _ => finding,
    }
}

/// What a refused client certificate can mean.
const REFUSED: [Code; 5] = [Code::B2, Code::B3, Code::B4, Code::B5, Code::B6];

type Seen<'a> = (&'a Probed, &'a Transcript);

/// Probes of one Service port from one Gateway that ended alike make one finding.
fn probed(context: &Context<'_>, findings: &mut Findings, code: Code) {
    let mut groups: BTreeMap<_, (Vec<Seen<'_>>, BTreeSet<String>)> = BTreeMap::new();
    for probed in &context.probes {
        let Ok(transcript) = &probed.result else {
            continue;
        };
        let plan = &probed.plan;
        let (alike, all) = groups
            .entry((&plan.gateway, &plan.service, plan.port))
            .or_default();
        all.insert(host_and_port(&plan.endpoint.address, plan.endpoint.port));
        let found = match code_of(probed, transcript) {
            // Why it was refused takes signatures to say.
            Some(Code::B2) if REFUSED.contains(&code) => {
                Some(refusal(context, plan, Some(transcript)).code())
            }
            found => found,
        };
        if found == Some(code) {
            alike.push((probed, transcript));
        }
    }
    // What is the policy's fault is one finding, however many Services it has.
    let mut told: Vec<Finding> = Vec::new();
    for (alike, all) in groups.values() {
        let Some(finding) = finding(context, code, alike, all.len()) else {
            continue;
        };
        let same =
            |known: &&mut Finding| known.subject == finding.subject && known.title == finding.title;
        match told.iter_mut().find(same) {
            Some(known) => {
                known.effects.extend(finding.effects);
                known.marks.extend(finding.marks);
                known.scope.extend(finding.scope);
                known.severity = known.severity.min(finding.severity);
            }
            None => told.push(finding),
        }
    }
    for finding in told {
        findings.add(finding);
    }
    from_unfit_pods(context, findings, code);
}

/// What fails from one data-plane pod only: its own finding, unless what stands on its disk says why (D3).
fn from_unfit_pods(context: &Context<'_>, findings: &mut Findings, code: Code) {
    let mut pods: BTreeMap<&ObjectRef, Vec<Seen<'_>>> = BTreeMap::new();
    for (pod, probed) in &context.unfit {
        if let Ok(transcript) = &probed.result
            && code_of(probed, transcript) == Some(code)
        {
            pods.entry(pod).or_default().push((*probed, transcript));
        }
    }
    for (pod, alike) in pods {
        let is_known = findings.iter().any(|finding| {
            finding.code == Code::D3 && finding.objects().any(|object| object == pod)
        });
        let endpoints: BTreeSet<_> = alike
            .iter()
            .map(|(probed, _)| &probed.plan.endpoint)
            .collect();
        if is_known {
            continue;
        }
        if let Some(mut finding) = finding(context, code, &alike, endpoints.len()) {
            finding.title = format!("From {pod} only: {}", finding.title);
            finding.marks = vec![Mark::Object(alike[0].0.plan.gateway.clone())];
            finding.effects = vec![format!(
                "clients whose requests {pod} takes; the other data-plane pods get through"
            )];
            findings.add(finding.scope([pod]).because(
                "The same endpoints are well from other data-plane pods: what differs is in this pod.",
            ));
        }
    }
}

fn finding(
    context: &Context<'_>,
    code: Code,
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
        Code::B7 => Severity::Info,
        // One endpoint of several is enough: nginx can never use it. That it tries the next one, so that
        // clients mostly get an answer, the effect says (T16).
        _ => Severity::Error,
    };
    let subject = subject(code, plan);
    let mut finding = Finding::new(
        code,
        severity,
        subject,
        title(context, code, plan, transcript),
    )
    .scope(objects(plan).iter())
    .by_probe_alone();
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
    if code != Code::B7 {
        finding = finding.breaks(effect(context, plan, transcript, failing.len(), endpoints));
    }
    Some(match remedy(context, code, plan, transcript) {
        Some(remedy) => finding.remedy(remedy),
        None => finding,
    })
}
