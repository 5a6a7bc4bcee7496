//! From faults to codes: the one classifier, for probes and for logs.

use std::collections::BTreeSet;

use ngf_tls::{certificate::CertificateFacts, transcript::Transcript};

use super::{
    codes,
    refusal::{HandshakeRefusal, refusal, untrusted},
};
use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        evidence::Probed,
        fault::Fault,
        finding::{Finding, Remedy},
        joined::Joined,
        list::for_every_rule,
        mounted,
        ngf::known,
        plan::ProbePlan,
        trust,
    },
    logs::Phase,
    model::{object::ObjectRef, snapshot::Lookup},
};

/// What a code means for a connection: which faults are its own, and what is said of them. A file in `codes` holds
/// one, beside its rule.
pub(in crate::diagnosis) struct Connection {
    /// Its code.
    pub(in crate::diagnosis) code: Code,
    /// Whether a fault is this one, as far as the fault alone tells.
    pub(in crate::diagnosis) means: fn(&Fault) -> May,
    /// Whether it is, by the objects that the connection depends on. Asked where it may be.
    pub(super) is: fn(&Case<'_, '_>) -> Claim,
    /// Where to look first.
    pub(super) subject: Subject,
    /// Whether the backend refuses the client certificate: an older one on nginx's disk explains it.
    pub(in crate::diagnosis::rules) refuses_client_certificate: bool,
    /// The same refusal at another moment of the handshake: a line that says it belongs to the finding that a probe
    /// makes of either.
    pub(in crate::diagnosis::rules) at_another_moment: Option<Code>,
    /// What is wrong, in a sentence with names.
    pub(in crate::diagnosis::rules) title: fn(&Case<'_, '_>) -> String,
    /// Adds the certificates, names and reasons that explain it.
    pub(in crate::diagnosis::rules) explain: fn(&Case<'_, '_>, Finding) -> Finding,
    /// What to do, where it is more than the rule's own remedy.
    pub(in crate::diagnosis::rules) remedy: fn(&Case<'_, '_>) -> Option<Remedy>,
}

/// Whether a fault may be a code's, before objects are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::diagnosis) enum May {
    /// It is not.
    No,
    /// It is where it is nobody else's.
    Otherwise,
    /// It may be; another code is likelier.
    Perhaps,
    /// It is, or is likely to be.
    Likely,
}

/// Whether a fault is a code's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::diagnosis::rules) enum Claim {
    /// It is not.
    No,
    /// It is.
    Sure,
    /// It is, or what the sentence says; a probe tells them apart.
    Doubt(String),
}

/// Which object a finding is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject {
    /// The policy; the Service where there is none.
    Policy,
    /// The Gateway.
    Gateway,
    /// The Service.
    Service,
}

/// A fault of a connection, with what shows it.
pub(in crate::diagnosis::rules) struct Case<'a, 'c> {
    pub(in crate::diagnosis::rules) context: &'a Context<'c>,
    pub(in crate::diagnosis::rules) plan: &'a ProbePlan,
    pub(in crate::diagnosis::rules) fault: Fault,
    pub(in crate::diagnosis::rules) seen: ShownBy<'a>,
}

/// What shows a fault.
pub(in crate::diagnosis::rules) enum ShownBy<'a> {
    /// A probe.
    Probe(&'a Transcript),
    /// A line of a log.
    Line {
        /// The line.
        joined: &'a Joined<'a>,
        /// Where nothing newer contradicts it: the endpoints that fail, and how many there are.
        now: Option<(BTreeSet<String>, usize)>,
    },
}

impl From<bool> for May {
    fn from(is: bool) -> Self {
        if is { Self::Likely } else { Self::No }
    }
}

impl From<bool> for Claim {
    fn from(is: bool) -> Self {
        if is { Self::Sure } else { Self::No }
    }
}

impl Connection {
    /// What most have in common: the fault decides, the Service is looked at, and the rule's words are enough.
    pub(super) const USUAL: Self = Self {
        code: Code::T21,
        means: |_| May::No,
        is: |_| Claim::Sure,
        subject: Subject::Service,
        refuses_client_certificate: false,
        at_another_moment: None,
        title: |case| format!("The TLS handshake with {} fails", case.service()),
        explain: |_, finding| finding,
        remedy: |_| None,
    };

    /// Whether a case is this one.
    pub(in crate::diagnosis::rules) fn claims(&self, case: &Case<'_, '_>) -> Claim {
        match (self.means)(&case.fault) {
            May::No => Claim::No,
            May::Otherwise => match classify(case) {
                Some((code, claim)) if code == self.code => claim,
                _ => Claim::No,
            },
            May::Perhaps | May::Likely => (self.is)(case),
        }
    }

    /// Whether a line is this one. What a probe has shown to be the refusal of [`Self::at_another_moment`] is that
    /// one's, unless another alert says another reason.
    pub(in crate::diagnosis::rules) fn claims_line(&self, case: &Case<'_, '_>) -> Claim {
        let own = self.claims(case);
        let Some(other) = self.at_another_moment else {
            return own;
        };
        let other = all().find(|connection| connection.code == other);
        let claim = match (&own, other) {
            (Claim::No, Some(other)) => other.claims(case),
            (_, _) => own.clone(),
        };
        if claim == Claim::No {
            return claim;
        }
        let refused = case.context.probes.iter().filter_map(|probed| {
            let (of, on) = (&probed.plan, case.plan);
            let alike = (&of.gateway, &of.service, of.port) == (&on.gateway, &on.service, on.port);
            let shown = Case::of_probe(case.context, of, probed.result.as_ref().ok()?)?;
            (alike && is_one_refusal(&shown.fault, &case.fault))
                .then(|| classify(&shown).map(|(code, _)| code))?
        });
        let codes: BTreeSet<Code> = refused.collect();
        let at_another_moment = self
            .at_another_moment
            .is_some_and(|code| codes.contains(&code));
        match (codes.contains(&self.code), at_another_moment) {
            (true, _) => claim,
            (false, true) => Claim::No,
            (false, false) => own,
        }
    }

    /// The object to look at first.
    pub(in crate::diagnosis::rules) fn subject<'a>(&self, plan: &'a ProbePlan) -> &'a ObjectRef {
        match self.subject {
            Subject::Policy => plan.tls.as_ref().map_or(&plan.service, |tls| &tls.policy),
            Subject::Gateway => &plan.gateway,
            Subject::Service => &plan.service,
        }
    }
}

macro_rules! connections {
    ($($code:ident in $($module:ident)::+;)*) => {
        /// In the order of the list of rules.
        static CONNECTIONS: &[Option<&Connection>] = &[$(connection!($($module)::+)),*];
    };
}

macro_rules! connection {
    (handshake::codes::$file:ident) => {
        Some(&codes::$file::CONNECTION)
    };
    ($($other:ident)::+) => {
        None
    };
}

for_every_rule!(connections);

/// All that a handshake can come to.
pub(in crate::diagnosis) fn all() -> impl Iterator<Item = &'static Connection> {
    CONNECTIONS.iter().copied().flatten()
}

/// The codes that a fault can mean, the likeliest first.
pub(in crate::diagnosis) fn candidates(fault: &Fault) -> Vec<Code> {
    let mut found: Vec<(May, Code)> = all()
        .map(|one| ((one.means)(fault), one.code))
        .filter(|(may, _)| *may != May::No)
        .collect();
    if found.iter().any(|(may, _)| *may != May::Otherwise) {
        found.retain(|(may, _)| *may != May::Otherwise);
    }
    found.sort_by_key(|(may, _)| std::cmp::Reverse(*may));
    found.into_iter().map(|(_, code)| code).collect()
}

/// The code of a case, with how sure it is.
pub(in crate::diagnosis::rules) fn classify(case: &Case<'_, '_>) -> Option<(Code, Claim)> {
    let mut otherwise = None;
    for connection in all() {
        let may = (connection.means)(&case.fault);
        if may == May::No || may == May::Otherwise && otherwise.is_some() {
            continue;
        }
        match (connection.is)(case) {
            Claim::No => {}
            claim if may == May::Otherwise => otherwise = Some((connection.code, claim)),
            claim => return Some((connection.code, claim)),
        }
    }
    otherwise
}

/// Whether two faults can be one refusal: two alerts have to be the same.
fn is_one_refusal(one: &Fault, other: &Fault) -> bool {
    match (one, other) {
        (Fault::Alert { number: one, .. }, Fault::Alert { number: other, .. }) => one == other,
        _ => true,
    }
}

/// What a probe showed; `None` where all was well.
pub(in crate::diagnosis::rules) fn code_of(context: &Context<'_>, probed: &Probed) -> Option<Code> {
    let case = Case::of_probe(context, &probed.plan, probed.result.as_ref().ok()?)?;
    classify(&case).map(|(code, _)| code)
}

/// Services that a probe or a log showed to want TLS, and to which nginx speaks plain HTTP (B9).
pub(in crate::diagnosis) fn wanting_tls<'a>(context: &'a Context<'_>) -> BTreeSet<&'a ObjectRef> {
    let by_probes = context.probes.iter().filter_map(|probed| {
        (code_of(context, probed) == Some(Code::B9)).then_some(&probed.plan.service)
    });
    let by_logs = context
        .logs
        .iter()
        .filter(|joined| Fault::of_line(&joined.counted.last_line) == Some(Fault::PlainToTls))
        .flat_map(|joined| &joined.plans)
        .filter(|plan| plan.tls.is_none())
        .map(|plan| &plan.service);
    by_probes.chain(by_logs).collect()
}

pub(super) fn client_leaf<'a>(
    context: &'a Context<'_>,
    plan: &ProbePlan,
) -> Option<&'a CertificateFacts> {
    let secret = plan.tls.as_ref()?.client_certificate.as_ref()?;
    match known::secret(context.snapshot, secret) {
        Lookup::Found(secret) => secret.spec.certificate.certificates().first(),
        _ => None,
    }
}

impl<'a, 'c> Case<'a, 'c> {
    /// What a probe showed; `None` where all was well.
    pub(super) fn of_probe(
        context: &'a Context<'c>,
        plan: &'a ProbePlan,
        transcript: &'a Transcript,
    ) -> Option<Self> {
        Some(Self {
            context,
            plan,
            fault: Fault::of_probe(plan, transcript)?,
            seen: ShownBy::Probe(transcript),
        })
    }

    /// What a line says of a connection; `None` where it is about none, or tells nothing of one like this.
    pub(in crate::diagnosis::rules) fn of_line(
        context: &'a Context<'c>,
        plan: &'a ProbePlan,
        joined: &'a Joined<'a>,
    ) -> Option<Self> {
        let line = &joined.counted.last_line;
        let fault = Fault::of_line(line)?;
        // A line of the time before the policy tells nothing of TLS.
        let speaks_tls = plan.tls.is_some() && !line.request.plain;
        (speaks_tls || fault.is_of_plain_http()).then_some(Self {
            context,
            plan,
            fault,
            seen: ShownBy::Line { joined, now: None },
        })
    }

    /// Says that nothing newer contradicts a line: which endpoints fail, of how many.
    pub(in crate::diagnosis::rules) fn holds_now(&mut self, failing: BTreeSet<String>, all: usize) {
        if let ShownBy::Line { now, .. } = &mut self.seen {
            *now = Some((failing, all));
        }
    }

    /// The Service with its port.
    pub(super) fn service(&self) -> String {
        format!("{}:{}", self.plan.service, self.plan.port)
    }

    /// The name that the backend's certificate has to be for.
    pub(super) fn hostname(&self) -> &'a str {
        let tls = self.plan.tls.as_ref();
        tls.map_or("", |tls| tls.hostname.as_str())
    }

    /// The policy that makes nginx speak TLS.
    pub(super) fn policy(&self) -> Option<&'a ObjectRef> {
        self.plan.tls.as_ref().map(|tls| &tls.policy)
    }

    /// The Secret of the client certificate that nginx presents.
    pub(super) fn client_certificate(&self) -> Option<&'a ObjectRef> {
        self.plan.tls.as_ref()?.client_certificate.as_ref()
    }

    /// What the probe wrote down, where a probe shows it.
    pub(super) fn transcript(&self) -> Option<&'a Transcript> {
        match self.seen {
            ShownBy::Probe(transcript) => Some(transcript),
            ShownBy::Line { .. } => None,
        }
    }

    /// The leaf that the backend presented to a probe.
    pub(super) fn leaf(&self) -> Option<&'a CertificateFacts> {
        self.transcript()?.server_chain.first()
    }

    /// The endpoints that fail by a log that nothing newer contradicts, and how many there are.
    pub(super) fn failing_now(&self) -> Option<(&BTreeSet<String>, usize)> {
        match &self.seen {
            ShownBy::Line {
                now: Some((failing, all)),
                ..
            } => Some((failing, *all)),
            _ => None,
        }
    }

    /// Whether the backend waits, or nginx for it, within the handshake.
    pub(super) fn is_silent(&self) -> bool {
        let phase = Phase::Handshaking;
        self.fault == Fault::TimedOut { phase }
    }

    /// Why an nginx backend refuses the client certificate, where it does and no verify code says it.
    pub(super) fn refusal(&self) -> Option<HandshakeRefusal<'a>> {
        let seen = match self.seen {
            ShownBy::Probe(transcript) => Some(transcript),
            // The CAs that the backend asks for.
            ShownBy::Line { .. } => {
                let probed = self.context.evidence.current(self.plan);
                probed.and_then(|probed| probed.result.as_deref().ok())
            }
        };
        match self.fault {
            Fault::ClientRefused { code: None } => Some(refusal(self.context, self.plan, seen)),
            Fault::ClientRefused {
                code: Some(3 | 9 | 10 | 12 | 23 | 26),
            } => None,
            Fault::ClientRefused { code: Some(_) } => {
                Some(untrusted(self.context, self.plan, seen))
            }
            _ => None,
        }
    }

    /// Whether the backend's chain is too long for nginx, and good otherwise; `None` where no one chain is known.
    pub(super) fn is_too_long(&self) -> Option<bool> {
        let tls = self.plan.tls.as_ref()?;
        if let Some(transcript) = self.transcript() {
            // More intermediates beside the leaf than nginx follows; with fewer it is the root that is unknown.
            return Some(transcript.server_chain.len() > tls.verify_depth as usize + 1);
        }
        let service = self.context.index.service(&self.plan.service)?;
        let trusted = trust::trusted(self.context.snapshot, &tls.trust).ok()?;
        let mounted = mounted::with_certificates(self.context.snapshot, service, "tls.crt");
        let [(_, chain)] = mounted.as_slice() else {
            return None;
        };
        let code = |depth| {
            let now = self.context.now.for_validity(chain.iter().chain(trusted));
            let judged = trust::judge_backend(chain, trusted, &tls.hostname, depth, now).ok()?;
            Some(judged.code)
        };
        match (code(tls.verify_depth)?, code(100)?) {
            (20, 0) => Some(true),
            (20, 20) => Some(false),
            // What is mounted is not what is presented.
            _ => None,
        }
    }
}
