//! D10: the certificates by which NGF's control plane and the agents of its data planes know each other. NGF's
//! certificate generator writes them once, for three years (`cmd/gateway/certs.go`), and nothing renews them.

use ngf_tls::certificate::CertificateFacts;

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Remedy, Severity},
        ngf::known,
        rule::{Need, Rule},
        rules::expiry::validity,
        trust, words,
    },
    model::{
        kind::Kind,
        kinds::{KeyState, SecretFacts},
        object::{Object, ObjectRef},
        references::{SERVER_TLS, agent_secret, control_planes},
        snapshot::Lookup,
    },
};

/// Certificates that expire within this many seconds are worth a word: renewing them takes a restart of both sides.
const SOON: i64 = 30 * 86_400;

pub(in crate::diagnosis) const D10: Rule = Rule {
    code: Code::D10,
    severity: Severity::Error,
    title: "NGF's control plane and the agent of a data plane cannot open a connection: their certificates do not work",
    explanation: "The agent in each data-plane pod and NGF's control plane verify each other, by the Secret server-tls and a copy of the Secret agent-tls in the Gateway's namespace. NGF's chart writes both once, for three years, and nothing renews them. An open connection stays; the next one fails, after a restart of either side, and from then on no change reaches nginx while every condition stays True.",
    remedy: "Let NGF's certificate generator write both Secrets again, then restart the control plane and the data planes.",
    causes: &[],
    needs: &[Need::Paths, Need::Certificates, Need::Pods],
    check: |context, findings| {
        let namespaces = control_planes(context.snapshot);
        // Of several control planes it is unknown which one an agent connects to.
        let mut namespaces = namespaces.into_iter();
        let (Some(namespace), None) = (namespaces.next(), namespaces.next()) else {
            return;
        };
        let server = ObjectRef::new(Kind::Secret, namespace, SERVER_TLS);
        let Some(of_server) = read(context, &server) else {
            return;
        };
        for gateway in context.gateways.keys() {
            let Some((found, _)) = context.gateways.get(gateway) else {
                continue;
            };
            // The agent's own line says more, and names the Secrets.
            if findings.has(Code::D6, gateway) {
                continue;
            }
            let agent = agent_secret(found);
            let Some(of_agent) = read(context, &agent) else {
                continue;
            };
            if let Some(fault) = fault(context, of_server, of_agent) {
                findings.add(finding(gateway, &server, &agent, fault));
            }
        }
    },
};

fn read<'a>(context: &Context<'a>, secret: &ObjectRef) -> Option<&'a Object<SecretFacts>> {
    match known::secret(context.snapshot, secret) {
        Lookup::Found(found) => Some(found),
        _ => None,
    }
}

/// What keeps the two from opening a connection, or soon will.
struct Fault {
    severity: Severity,
    /// `Secret nginx-gateway/server-tls[tls.crt] expired 3d ago`
    sentence: String,
    evidence: Vec<(String, String, String)>,
}

fn fault(
    context: &Context<'_>,
    server: &Object<SecretFacts>,
    agent: &Object<SecretFacts>,
) -> Option<Fault> {
    let sides = [server, agent];
    let broken = sides.into_iter().find_map(|side| {
        let why = match &side.spec.key {
            KeyState::DoesNotFit(_) => "holds the key of another certificate",
            KeyState::Missing => "holds no tls.key",
            _ => return None,
        };
        Some(Fault {
            severity: Severity::Error,
            sentence: format!("{} {why}", side.reference),
            evidence: Vec::new(),
        })
    });
    broken
        .or_else(|| sides.into_iter().find_map(|side| by_time(context, side)))
        .or_else(|| by_signature(server, agent))
        .or_else(|| by_signature(agent, server))
}

/// A certificate that is not valid now, or will not be for long: what is presented, and the CA that the other side's
/// is verified by.
fn by_time(context: &Context<'_>, side: &Object<SecretFacts>) -> Option<Fault> {
    let now = context.now.as_second();
    let of = [
        ("tls.crt", side.spec.certificate.certificates()),
        ("ca.crt", side.spec.ca.certificates()),
    ];
    let mut all = of
        .into_iter()
        .filter_map(|(key, all)| Some((key, all.first()?)));
    all.find_map(|(key, facts)| {
        let place = format!("{}[{key}]", side.reference);
        let (severity, what) = if facts.not_after < now {
            let ago = words::span(now - facts.not_after);
            (Severity::Error, format!("expired {ago} ago"))
        } else if facts.not_before > now {
            let until = words::span(facts.not_before - now);
            (
                Severity::Error,
                format!("is not valid before {until} from now"),
            )
        } else if facts.not_after - now < SOON && !is_renewed(context, side, facts) {
            let left = words::span(facts.not_after - now);
            (
                Severity::Warning,
                format!("expires in {left}, and nothing renews it"),
            )
        } else {
            return None;
        };
        Some(Fault {
            severity,
            sentence: format!("{place} {what}"),
            evidence: vec![("valid".to_owned(), validity(facts), place)],
        })
    })
}

/// Whether a cert-manager Certificate renews it in time.
fn is_renewed(context: &Context<'_>, side: &Object<SecretFacts>, facts: &CertificateFacts) -> bool {
    let writer = context.writer(&side.reference);
    let certificate = writer.and_then(|writer| context.snapshot.certificates.get(writer));
    let renewal = certificate.and_then(|certificate| certificate.status.renewal_time);
    renewal.is_some_and(|at| at.as_second() < facts.not_after)
}

/// A certificate that the other side's CA did not sign.
fn by_signature(presents: &Object<SecretFacts>, verifies: &Object<SecretFacts>) -> Option<Fault> {
    let chain = presents.spec.certificate.certificates();
    let cas = verifies.spec.ca.certificates();
    if chain.is_empty() || cas.is_empty() {
        return None;
    }
    let is_signed = chain
        .iter()
        .any(|facts| cas.iter().any(|ca| trust::signed(facts, ca)));
    (!is_signed).then(|| Fault {
        severity: Severity::Error,
        sentence: format!(
            "the ca.crt in {} did not sign the certificate in {}",
            verifies.reference, presents.reference
        ),
        evidence: vec![
            (
                "ca.crt".to_owned(),
                validity(&cas[0]),
                verifies.reference.to_string(),
            ),
            (
                "tls.crt".to_owned(),
                validity(&chain[0]),
                presents.reference.to_string(),
            ),
        ],
    })
}

fn finding(gateway: &ObjectRef, server: &ObjectRef, agent: &ObjectRef, fault: Fault) -> Finding {
    let title = match fault.severity {
        Severity::Error => format!(
            "The data plane of {gateway} can open no connection to NGF's control plane: {}",
            fault.sentence
        ),
        _ => format!(
            "The data plane of {gateway} will soon open no connection to NGF's control plane: {}",
            fault.sentence
        ),
    };
    let mut finding = Finding::new(Code::D10, fault.severity, gateway, title)
        .because("A connection that is open stays; the next one, after a restart of either side, fails.")
        .scope([server, agent])
        .remedy(Remedy::command(
            format!("Delete {server} and the Secret agent-tls beside it, let NGF's certificate generator write both again (helm upgrade runs it), then restart the control plane and the data planes."),
            Command::kubectl(&server.namespace)
                .words(["delete", "secret", "server-tls", "agent-tls"]),
        ));
    for (what, value, place) in fault.evidence {
        finding = finding.evidence(what, value, place);
    }
    if fault.severity == Severity::Error {
        finding =
            finding.breaks("no change reaches nginx after that, while every condition stays True");
    }
    finding
}
