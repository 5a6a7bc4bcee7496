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
        rules::expiry::{may, validity},
        trust, words,
    },
    model::{
        kinds::{KeyState, PemFacts, SecretFacts},
        object::{Object, ObjectRef},
        references::{ControlPlane, control_planes},
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
        // Of several control planes it is unknown which one an agent connects to.
        let mut control_planes = control_planes(context.snapshot).into_iter();
        let (Some(control_plane), None) = (control_planes.next(), control_planes.next()) else {
            return;
        };
        let server = &control_plane.server_tls;
        let of_server = read(context, server);
        for gateway in context.gateways.keys() {
            let Some((found, _)) = context.gateways.get(gateway) else {
                continue;
            };
            // The agent's own line says more, and names the Secrets.
            if findings.has(Code::D6, gateway) {
                continue;
            }
            let agent = control_plane.agent_secret(found);
            let fault = match (&of_server, read(context, &agent)) {
                (Side::Absent, _) if control_plane.mounts_server_tls => Some(absent(server)),
                // NGF copies the Secret a moment after it has taken up the Gateway.
                (Side::Found(_), Side::Absent) if context.is_settled(found.meta.created) => {
                    Some(absent(&agent))
                }
                (Side::Found(of_server), Side::Found(of_agent)) => {
                    fault(context, &control_plane, of_server, of_agent)
                }
                _ => None,
            };
            if let Some(fault) = fault {
                findings.add(finding(gateway, &control_plane, &agent, fault));
            }
        }
    },
};

/// The Secret of one side.
enum Side<'a> {
    Found(&'a Object<SecretFacts>),
    Absent,
    Unknown,
}

fn read<'a>(context: &Context<'a>, secret: &ObjectRef) -> Side<'a> {
    match known::secret(context.snapshot, secret) {
        Lookup::Found(found) => Side::Found(found),
        Lookup::Absent => Side::Absent,
        Lookup::Unknown(_) => Side::Unknown,
    }
}

/// Without its Secret no new pod of that side starts.
fn absent(secret: &ObjectRef) -> Fault {
    Fault {
        severity: Severity::Error,
        sentence: format!("{secret} does not exist"),
        evidence: Vec::new(),
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
    control_plane: &ControlPlane,
    server: &Object<SecretFacts>,
    agent: &Object<SecretFacts>,
) -> Option<Fault> {
    let sides = [server, agent];
    let broken = sides.into_iter().find_map(|side| {
        let why = match (&side.spec.key, &side.spec.ca) {
            (KeyState::DoesNotFit(_), _) => "holds the key of another certificate",
            (KeyState::Missing, _) => "holds no tls.key",
            // Each side verifies the other by the ca.crt beside its own certificate.
            (_, PemFacts::Missing | PemFacts::Empty) => "holds no ca.crt",
            (_, PemFacts::Broken(_)) => "holds a ca.crt that cannot be read",
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
        .or_else(|| by_usage(server, "serverAuth", "servers"))
        .or_else(|| by_usage(agent, "clientAuth", "clients"))
        .or_else(|| by_name(control_plane.host.as_deref()?, server))
}

/// A certificate that is not made for the part that it plays: Go's TLS refuses it.
fn by_usage(side: &Object<SecretFacts>, usage: &str, whom: &str) -> Option<Fault> {
    let leaf = side.spec.certificate.certificates().first()?;
    let place = format!("{}[tls.crt]", side.reference);
    (!may(leaf, usage)).then(|| Fault {
        severity: Severity::Error,
        sentence: format!("{place} is not made for {whom}"),
        evidence: vec![(
            "extended key usage".to_owned(),
            leaf.extended_key_usage.join(", "),
            place,
        )],
    })
}

/// A server certificate for another name than the agent's `server_name` (`agentTemplateText`).
fn by_name(host: &str, server: &Object<SecretFacts>) -> Option<Fault> {
    let leaf = server.spec.certificate.certificates().first()?;
    let place = format!("{}[tls.crt]", server.reference);
    let mut names = leaf.dns_names.iter();
    let fits = names.any(|name| covers(name, host));
    (!fits).then(|| Fault {
        severity: Severity::Error,
        sentence: format!("{place} is not for {host}, the name that the agent expects"),
        evidence: vec![("names".to_owned(), words::list(&leaf.dns_names, 4), place)],
    })
}

/// Whether a name of a certificate is for a host; a wildcard stands for one label.
fn covers(name: &str, host: &str) -> bool {
    let below = name.strip_prefix("*.");
    name.eq_ignore_ascii_case(host)
        || below.is_some_and(|below| {
            host.split_once('.')
                .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(below))
        })
}

/// A certificate that is not valid now, or will not be for long: what is presented, and the CA that the other side's
/// is verified by.
fn by_time(context: &Context<'_>, side: &Object<SecretFacts>) -> Option<Fault> {
    let now = &context.now;
    let of = [
        ("tls.crt", side.spec.certificate.certificates()),
        ("ca.crt", side.spec.ca.certificates()),
    ];
    let mut all = of
        .into_iter()
        .filter_map(|(key, all)| Some((key, all.first()?)));
    all.find_map(|(key, facts)| {
        let place = format!("{}[{key}]", side.reference);
        let (severity, what) = if now.is_after(facts.not_after) {
            let ago = now.span(facts.not_after);
            (Severity::Error, format!("expired {ago} ago"))
        } else if now.is_before(facts.not_before) {
            let until = now.span(facts.not_before);
            (
                Severity::Error,
                format!("is not valid before {until} from now"),
            )
        } else if now.is_after(facts.not_after - SOON) && !is_renewed(context, side, facts) {
            let left = now.span(facts.not_after);
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

fn finding(
    gateway: &ObjectRef,
    control_plane: &ControlPlane,
    agent: &ObjectRef,
    fault: Fault,
) -> Finding {
    let (server, source) = (&control_plane.server_tls, &control_plane.agent_tls);
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
            format!("Delete {server} and {source}, let NGF's certificate generator write both again (helm upgrade runs it), then restart the control plane and the data planes."),
            Command::kubectl(&server.namespace)
                .words(["delete", "secret"])
                .other_name(&server.name)
                .other_name(&source.name),
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
