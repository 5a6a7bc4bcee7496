//! From which data-plane pods a fault shows, where it does not from all that tried.

use std::collections::{BTreeMap, BTreeSet};

use ngf_tls::transcript::Outcome;

use super::{Connection, Shown, finding};
use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        evidence::Probed,
        finding::{Finding, Mark},
        words::list,
    },
    model::{kind::Kind, object::ObjectRef},
};

/// Pods that a sentence names.
const NAMED: usize = 3;

/// What fails with every endpoint from some data-plane pods and not from others: a finding of its own, unless what
/// stands on their disks says why (D3).
pub(super) fn from_unfit_pods(
    context: &Context<'_>,
    findings: &mut Findings,
    connection: &Connection,
) {
    let mut pods: BTreeMap<&ObjectRef, Vec<Shown<'_, '_>>> = BTreeMap::new();
    for (pod, probed) in &context.unfit {
        if let Some(shown) = Shown::of(context, probed, connection) {
            pods.entry(pod).or_default().push(shown);
        }
    }
    let mut told: Vec<(Finding, Vec<&ObjectRef>)> = Vec::new();
    for (pod, alike) in pods {
        let is_known = findings.iter().any(|finding| {
            finding.code == Code::D3 && finding.objects().any(|object| object == pod)
        });
        if is_known {
            continue;
        }
        let endpoints: BTreeSet<_> = alike
            .iter()
            .map(|shown| &shown.probed.plan.endpoint)
            .collect();
        let Some(mut finding) = finding(connection, &alike, endpoints.len()) else {
            continue;
        };
        finding.marks = vec![Mark::Object(alike[0].case.plan.gateway.clone())];
        let same = |(known, _): &&mut (Finding, Vec<&ObjectRef>)| {
            known.subject == finding.subject
                && known.title == finding.title
                && known.marks == finding.marks
        };
        match told.iter_mut().find(same) {
            Some((_, pods)) => pods.push(pod),
            None => told.push((finding, vec![pod])),
        }
    }
    for (mut finding, pods) in told {
        let (takes, these) = match pods.as_slice() {
            [_] => ("takes", "this pod"),
            _ => ("take", "these pods"),
        };
        let names = list(&pods, NAMED);
        finding.title = format!("From {names} only: {}", finding.title);
        finding.effects = vec![format!(
            "clients whose requests {names} {takes}; the other data-plane pods get through"
        )];
        let why = format!(
            "The same endpoints are well from other data-plane pods: what differs is in {these}."
        );
        findings.add(finding.scope(pods).because(why));
    }
}

/// `Seen from Pod shop/x, not from Pod shop/y.`: where endpoints that fail from some data-plane pods are well from
/// others. Nothing is said of pods that did not try.
pub(super) fn seen_from(alike: &[Shown<'_, '_>]) -> Option<String> {
    let context = alike.first()?.case.context;
    let failing: BTreeMap<_, Vec<&Probed>> =
        alike.iter().fold(BTreeMap::new(), |mut all, shown| {
            let probes: &mut Vec<&Probed> = all.entry(shown.probed.plan.key()).or_default();
            probes.push(shown.probed);
            all
        });
    let (mut seen, mut well) = (BTreeSet::new(), BTreeSet::new());
    for (pod, probed) in context.evidence.probes_from() {
        let (Some(pod), Some(probes)) = (pod, failing.get(&probed.plan.key())) else {
            continue;
        };
        let pod = ObjectRef::new(Kind::Pod, &probed.plan.gateway.namespace, pod);
        let is_current = context.probes.iter().any(|one| std::ptr::eq(*one, probed));
        if probes.iter().any(|one| std::ptr::eq(*one, probed)) {
            seen.insert(pod);
        } else if is_current && is_well(probed) {
            well.insert(pod);
        }
    }
    let well: Vec<&ObjectRef> = well.difference(&seen).collect();
    if seen.is_empty() || well.is_empty() {
        return None;
    }
    let (seen, well) = (list(&seen, NAMED), list(&well, NAMED));
    Some(format!("Seen from {seen}, not from {well}."))
}

/// Whether a probe found nothing wrong.
fn is_well(probed: &Probed) -> bool {
    matches!(&probed.result, Ok(transcript) if transcript.nginx.outcome == Outcome::Ok)
}
