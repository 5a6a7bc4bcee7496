//! What TLS is spoken on a connection, and with which certificate.

use super::super::{PlanError, PlannedTls, TrustSource};
use crate::diagnosis::code::Code;
use crate::{
    diagnosis::{
        hidden,
        ngf::{
            BackendDecision, BackendState, ClientCertificate, RuleDecision, client_certificate,
            key_pair_file, known,
            refused::limit_reached,
            snippets::{self, GRPC_CERTIFICATE},
        },
    },
    model::{kind::Kind, kinds::PemFacts, object::ObjectRef, snapshot::Lookup},
};

use super::{Place, Planner};

impl<'a> Planner<'a> {
    pub(super) fn tls(
        &mut self,
        at: &Place<'a>,
        decision: &BackendDecision<'a>,
        rule: &RuleDecision<'a>,
        label: &str,
        because: &mut Vec<String>,
    ) -> Result<Option<PlannedTls>, PlanError> {
        if let Some(barred) = rule.barred {
            return Err(self.refuses(at, rule, label, barred.message(), Code::R19));
        }
        if rule.mismatch {
            let message = "the backends of the rule have different TLS policies";
            return Err(self.refuses(at, rule, label, message, Code::R1));
        }
        let spilled = || {
            rule.backends
                .iter()
                .filter(|backend| !backend.filter)
                .find_map(|backend| match &backend.state {
                    BackendState::Tls { policy, trust, .. } => Some((*policy, trust)),
                    _ => None,
                })
                .filter(|_| rule.spills && !decision.filter)
        };
        let (policy, trust) = match &decision.state {
            BackendState::Invalid(fault) => {
                return Err(self.refuses(at, rule, label, &*fault.message, fault.code));
            }
            BackendState::Unknown(why) => {
                // The policy stands in the Service's namespace.
                let unread = decision.service.iter().flat_map(|service| {
                    let policy = ObjectRef::new(Kind::BackendTLSPolicy, &service.namespace, "");
                    [service.clone(), policy]
                });
                let advice = unread
                    .into_iter()
                    .find_map(|object| {
                        hidden::advice_for(self.snapshot, &object, &at.route.reference)
                    })
                    .map_or_else(String::new, |advice| format!("; {advice}"));
                return Err(PlanError::NotKnown(format!(
                    "how nginx speaks to {label} is not known: {why}{advice}"
                )));
            }
            BackendState::Plain => match spilled() {
                None => {
                    because.push(format!(
                        "nginx speaks plain HTTP to {label}: no BackendTLSPolicy takes effect on it."
                    ));
                    return Ok(None);
                }
                Some(tls) => {
                    because.push(format!(
                        "no BackendTLSPolicy takes effect on {label}, but {} does on another backend of this rule, and NGF renders one https:// for all of them (NGF-R2).",
                        tls.0.reference
                    ));
                    tls
                }
            },
            BackendState::Tls {
                policy,
                trust,
                doubt,
            } => {
                because.push(format!("{} takes effect on {label}.", policy.reference));
                if let Some(doubt) = doubt {
                    because.push(format!(
                        "Whether NGF takes the policy is not known: {doubt}."
                    ));
                }
                (*policy, trust)
            }
        };
        if limit_reached(at.gateway, policy) {
            because.push(format!(
                "{} has too many ancestors for {}: nginx speaks plain HTTP here (NGF-P14).",
                policy.reference, at.gateway.reference
            ));
            return Ok(None);
        }
        because.push(format!(
            "nginx checks the backend's certificate against {trust}, to a verify depth of {}, and its name against {}.",
            self.release.verify_depth(),
            policy.spec.hostname
        ));
        Ok(Some(PlannedTls {
            hostname: policy.spec.hostname.clone(),
            policy: policy.reference.clone(),
            trust: trust.clone(),
            verify_depth: self.release.verify_depth(),
            client_certificate: self.client_certificate(at, because),
        }))
    }

    /// P8: a TLS Secret without `ca.crt` passes NGF, and nginx cannot load the empty bundle.
    pub(super) fn loadable(&self, tls: &PlannedTls) -> Result<(), PlanError> {
        let TrustSource::Object { object, .. } = &tls.trust else {
            return Ok(());
        };
        if object.kind == Kind::Secret
            && let Lookup::Found(secret) = known::secret(self.snapshot, object)
            && secret.spec.ca == PemFacts::Missing
        {
            return Err(PlanError::NeverLoaded(format!(
                "{object}, which {} names, has no ca.crt, and nginx refuses the empty bundle with the whole configuration (NGF-P8)",
                tls.policy
            )));
        }
        Ok(())
    }

    /// NGF renders no client certificate for a GRPCRoute; a snippet can (NGF-R9).
    fn of_grpc_route(
        &self,
        at: &Place<'a>,
        decided: &ClientCertificate,
        because: &mut Vec<String>,
    ) -> Option<ObjectRef> {
        let snippets = snippets::of_rule(self.snapshot, at.route, at.rule, &at.gateway.reference);
        let set = snippets.iter().find_map(|snippet| {
            let directive = snippet.sets(GRPC_CERTIFICATE)?;
            Some((snippet, directive))
        });
        let Some((snippet, directive)) = set else {
            because.push(
                "nginx presents no client certificate: NGF renders none for GRPCRoutes (NGF-R9)."
                    .to_owned(),
            );
            return None;
        };
        let of_gateway = match decided {
            ClientCertificate::Presented(secret)
                if key_pair_file(&secret.namespace, &secret.name) == directive.value =>
            {
                Some(secret.clone())
            }
            _ => None,
        };
        because.push(match &of_gateway {
            Some(secret) => format!(
                "nginx presents the certificate of {secret}, as {} says.",
                snippet.object
            ),
            None => format!(
                "nginx presents the certificate in {}, as {} says, and the probe presents none.",
                directive.value, snippet.object
            ),
        });
        of_gateway
    }

    fn client_certificate(&self, at: &Place<'a>, because: &mut Vec<String>) -> Option<ObjectRef> {
        let gateway = &at.gateway.reference;
        let decided = client_certificate(self.snapshot, self.release, at.gateway);
        if at.route.reference.kind == Kind::GRPCRoute {
            return self.of_grpc_route(at, &decided, because);
        }
        let (sentence, secret) = match decided {
            ClientCertificate::None => (
                format!("nginx presents no client certificate: {gateway} names none."),
                None,
            ),
            ClientCertificate::Presented(secret) => (
                format!("nginx presents the certificate of {secret}, which {gateway} names."),
                Some(secret),
            ),
            ClientCertificate::Refused { message, code, .. } => (
                format!(
                    "nginx presents no client certificate: NGF does not take the one of {gateway}: {message} ({code})."
                ),
                None,
            ),
            ClientCertificate::Unknown { secret, why } => (
                format!(
                    "{gateway} names {secret} as its client certificate; whether NGF takes it is not known: {why}."
                ),
                Some(secret),
            ),
        };
        because.push(sentence);
        secret
    }
}
