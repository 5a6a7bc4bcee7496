//! Why a data plane's agent has no connection to NGF's control plane, and the Secrets of both sides: the
//! agent's (`<gateway>-<class>-agent-tls`) and the control plane's (`server-tls`, `agent-tls`), which NGF's
//! certificate generator writes (`cmd/gateway/certs.go`, `provisioner/objects.go`).

use std::collections::BTreeSet;

use ngf_tls::certificate::CertificateFacts;

use crate::{
    command::Command,
    diagnosis::rules::condition::silence::controller_pods,
    diagnosis::{
        context::Context,
        finding::{Finding, Remedy},
        rules::expiry,
        trust, words,
    },
    model::{
        kinds::{Gateway, SecretFacts},
        object::{Object, ObjectRef},
        references::{ControlPlane, control_planes},
        snapshot::Lookup,
    },
};

/// What keeps the agent from connecting, by the words of gRPC and Go's TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The agent does not trust the control plane's certificate.
    NotTrusted,
    /// The control plane does not take the agent's certificate.
    Refused,
    /// A certificate has expired, or is not valid yet.
    Expired,
    /// The certificate is for another name.
    OtherName,
    /// There is no connection at all.
    Unreachable,
}

/// Reads an error of the agent.
pub(super) fn why(reason: &str) -> Why {
    let reason = reason.to_ascii_lowercase();
    let says = |words: &str| reason.contains(words);
    if says("has expired") || says("not yet valid") || says("certificate expired") {
        Why::Expired
    } else if says("remote error: tls") {
        Why::Refused
    } else if says("unknown authority") || says("certificate signed by") {
        Why::NotTrusted
    } else if says("certificate is valid for")
        || says("doesn't contain any ip sans")
        || says("not valid for any names")
    {
        Why::OtherName
    } else {
        Why::Unreachable
    }
}

/// Adds the background and what to do.
pub(super) fn explain(
    context: &Context<'_>,
    gateway: &Object<Gateway>,
    reason: &str,
    finding: Finding,
) -> Finding {
    let control_plane = control_planes(context.snapshot).into_iter().next();
    let control_plane = control_plane.unwrap_or_else(|| ControlPlane::of_chart("nginx-gateway"));
    let agent = control_plane.agent_secret(gateway);
    match why(reason) {
        Why::Unreachable => finding.remedy(Remedy::command(
            "See whether the control plane runs, and whether a NetworkPolicy lets the data plane reach it.",
            controller_pods(),
        )),
        why => {
            let sentence = match why {
                Why::NotTrusted => "The agent reaches the control plane and does not trust its certificate: the two are of different CAs, as after a renewal that reached one side alone.",
                Why::Refused => "The agent reaches the control plane, which refuses the agent's certificate.",
                Why::Expired => "The agent reaches the control plane, and a certificate between them is not valid now.",
                _ => "The agent reaches the control plane, whose certificate is for another name.",
            };
            let finding = finding.because(sentence).scope([&agent]);
            compared(context, &agent, &control_plane, finding)
        }
    }
}

fn found<'a>(context: &'a Context<'_>, name: &ObjectRef) -> Option<&'a Object<SecretFacts>> {
    match context.snapshot.secrets.get(name)? {
        Lookup::Found(secret) => Some(secret),
        _ => None,
    }
}

/// The Secrets of both sides, as far as they can be read.
fn compared(
    context: &Context<'_>,
    agent: &ObjectRef,
    control_plane: &ControlPlane,
    mut finding: Finding,
) -> Finding {
    let (server, source) = (
        control_plane.server_tls.clone(),
        control_plane.agent_tls.clone(),
    );
    let by_hand = Remedy::command(
        format!(
            "Compare the CA in {agent} with that of {server}. Where they differ, restart NGF's control plane, which writes the agent's Secret, then the data plane."
        ),
        show_ca(agent).then(show_ca(&server)),
    );
    let (Some(of_agent), Some(of_server)) = (found(context, agent), found(context, &server)) else {
        return finding
            .because(format!(
                "Whether {agent} and {server} are of one CA could not be read."
            ))
            .remedy(by_hand);
    };
    finding = finding.scope([&server]);
    let trusted = of_agent.spec.ca.certificates();
    let presented = of_server.spec.certificate.certificates();
    for (name, facts, key) in [
        (agent, trusted.first(), "ca.crt"),
        (&server, presented.first(), "tls.crt"),
    ] {
        if let Some(facts) = facts {
            finding = finding.evidence(
                key,
                format!(
                    "{}, issued by {}, {}",
                    words::holder(facts),
                    facts.issuer,
                    expiry::validity(facts)
                ),
                name.to_string(),
            );
        }
    }
    let signs = |cas: &[CertificateFacts], chain: &[CertificateFacts]| {
        chain
            .iter()
            .any(|facts| cas.iter().any(|ca| trust::signed(facts, ca)))
    };
    let server_trusts = of_server.spec.ca.certificates();
    let of_agent_leaf = of_agent.spec.certificate.certificates();
    let mut differs = BTreeSet::new();
    if !trusted.is_empty() && !presented.is_empty() && !signs(trusted, presented) {
        differs.insert(format!(
            "The ca.crt in {agent} did not sign the certificate in {server}."
        ));
    }
    if !server_trusts.is_empty()
        && !of_agent_leaf.is_empty()
        && !signs(server_trusts, of_agent_leaf)
    {
        differs.insert(format!(
            "The ca.crt in {server} did not sign the certificate in {agent}."
        ));
    }
    if differs.is_empty() {
        return finding
            .because("The two Secrets are of one CA: a process has not loaded its own yet.")
            .remedy(Remedy::say("Restart NGF's control plane, then the data plane, so that both load their Secrets."));
    }
    for sentence in differs {
        finding = finding.because(sentence);
    }
    // The agent's Secret is a copy of one in the control plane's namespace.
    let is_stale_copy = found(context, &source)
        .is_some_and(|source| signs(source.spec.ca.certificates(), presented));
    finding.remedy(if is_stale_copy {
        Remedy::command(
            format!("{agent} is an old copy of {source}: delete it and restart NGF's control plane, which writes it again; then restart the data plane."),
            Command::kubectl(&agent.namespace)
                .words(["delete"])
                .object(agent)
                .then(Command::kubectl(&control_plane.server_tls.namespace).words([
                    "rollout",
                    "restart",
                    "deployment",
                    "-l",
                    "app.kubernetes.io/name=nginx-gateway-fabric",
                ])),
        )
    } else {
        Remedy::say(format!(
            "Let NGF's certificate generator (a Job of its chart) write {server} and {source} again, both from one CA; then restart the control plane and the data plane."
        ))
    })
}

/// A command that shows the CA of a Secret.
fn show_ca(secret: &ObjectRef) -> Command {
    Command::kubectl(&secret.namespace)
        .words(["get"])
        .object(secret)
        .data_key("ca.crt")
        .pipe(Command::new("base64").words(["-d"]))
        .pipe(Command::new("openssl").words(["x509", "-noout", "-subject", "-fingerprint"]))
}

#[cfg(test)]
mod tests {
    use super::{Why, why};

    #[test]
    fn the_agents_errors_are_told_apart() {
        for (reason, expected) in [
            (
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
                Why::NotTrusted,
            ),
            (
                "remote error: tls: unknown certificate authority",
                Why::Refused,
            ),
            ("remote error: tls: bad certificate", Why::Refused),
            (
                "x509: certificate has expired or is not yet valid: current time",
                Why::Expired,
            ),
            (
                "x509: certificate is valid for a.svc, not b.svc",
                Why::OtherName,
            ),
            (
                "dial tcp 10.96.0.7:443: connect: connection refused",
                Why::Unreachable,
            ),
            ("context deadline exceeded", Why::Unreachable),
        ] {
            assert_eq!(why(reason), expected, "{reason}");
        }
    }
}
