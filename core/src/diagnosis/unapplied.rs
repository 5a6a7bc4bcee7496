//! What a probe shows while NGF has not applied the objects: a probe does what the objects ask for, and nginx
//! still does what it was configured with. What keeps nginx behind is to be fixed first.

use super::finding::{Finding, Severity, Verdict};
use crate::diagnosis::code::Code;
use crate::model::{kind::Kind, object::ObjectRef};

/// Findings that show that nginx may run an older configuration than the objects ask for, the most certain
/// first. An object whose last change NGF has not looked at (NGF-S7) is none of them: the change may be about anything.
const BEHIND: [Code; 3] = [Code::D4, Code::D5, Code::S8];

/// Puts findings of probes behind what shows that nginx does something else, and says so in them.
pub(super) fn hold(findings: &mut [Finding]) {
    let behind: Vec<Finding> = findings
        .iter()
        .filter(|finding| BEHIND.contains(&finding.code))
        // A reading that is older than the objects proves nothing.
        .filter(|finding| finding.code == Code::S8 || finding.verdict == Verdict::Fail)
        // Of several endpoints nginx may ask the one that was probed.
        .filter(|finding| finding.code != Code::D4 || finding.severity == Severity::Error)
        .cloned()
        .collect();
    for finding in findings.iter_mut().filter(|finding| finding.by_probe_alone) {
        let first = BEHIND.iter().find_map(|code| {
            let mut all = behind.iter().filter(|other| other.code == *code);
            all.find(|other| is_about(other, finding))
        });
        if let Some(first) = first {
            say_what_comes_first(finding, first.code);
        }
    }
}

fn say_what_comes_first(finding: &mut Finding, code: Code) {
    finding.after = Some(code);
    finding.detail.push(match code {
        Code::D4 => {
            "nginx asks none of the Service's endpoints (NGF-D4), so that clients do not get this error yet: they will once NGF has brought nginx the endpoints of today.".to_owned()
        }
        Code::D5 => {
            "nginx does not do what the objects ask for (NGF-D5), so that clients do not get this error yet: they will once NGF has applied the objects.".to_owned()
        }
        code => format!(
            "NGF may not have applied the objects ({code}): the probe shows what nginx will do once it has."
        ),
    });
    for effect in &mut finding.effects {
        *effect = format!("once NGF has applied the objects, {effect}");
    }
}

/// Whether what is behind is on the way of the connection that the probe opened.
fn is_about(behind: &Finding, probed: &Finding) -> bool {
    let objects: Vec<&ObjectRef> = probed.objects().collect();
    let has = |object: &ObjectRef| objects.contains(&object);
    match behind.code {
        // Of one Gateway's nginx and one Service.
        Code::D4 | Code::D5 => {
            let mut services = behind.objects().filter(|one| one.kind == Kind::Service);
            has(&behind.subject) && services.any(has)
        }
        _ => behind.marks.iter().any(|mark| has(mark.object())),
    }
}
