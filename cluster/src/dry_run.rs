//! Asks the API server what it would make of manifests, by dry runs: nothing is stored.

mod compare;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::StreamExt;
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::time::sleep;

use ngf_core::{
    manifests::{Manifest, Manifests},
    model::{clean::clean_line, facts, kind::Kind, object::ObjectRef},
    overlay::{
        Answered, Sent,
        said::{DryRunAnswer, DryRunOutcome, ManifestRefusal, Why},
        sent,
    },
};

use crate::{
    Cluster,
    fix::{
        exchange::{self, Answer, bounded, collection, path},
        may,
    },
};

use compare::taken;

/// Requests under way at once.
const AT_ONCE: usize = 8;
/// Requests without an answer, one after the other, after which nobody asks any more.
const MOST_SILENT: usize = 3;
/// How often a request is sent that the API server has no time for (429).
const TRIES: usize = 3;
/// The longest that one waits because the API server says so.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Fields and causes that are kept of one answer.
const MOST_FIELDS: usize = 20;
/// Asks about each manifest, several at once, each request for up to `bound`.
pub async fn ask(cluster: &Cluster, manifests: &Manifests, bound: Duration) -> Vec<Answered> {
    let asking = &Asking {
        cluster,
        manifests,
        bound,
        silent: AtomicUsize::new(0),
    };
    futures::stream::iter(&manifests.objects)
        .map(|(object, manifest)| async move {
            let mut answered = asking.about(object, manifest).await;
            answered.said.place.clone_from(&manifest.place);
            answered
        })
        .buffered(AT_ONCE)
        .collect()
        .await
}

/// Says of each manifest that nobody asked, and why.
pub fn unasked(manifests: &Manifests, why: &str) -> Vec<Answered> {
    manifests
        .objects
        .iter()
        .map(|(object, manifest)| {
            let mut answered = unknown(object, why);
            answered.said.place.clone_from(&manifest.place);
            answered
        })
        .collect()
}

struct Asking<'a> {
    cluster: &'a Cluster,
    manifests: &'a Manifests,
    bound: Duration,
    /// Requests in a row that had no answer.
    silent: AtomicUsize,
}

impl Asking<'_> {
    async fn about(&self, object: &ObjectRef, manifest: &Manifest) -> Answered {
        let api_version = manifest
            .value
            .get("apiVersion")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let paths = path(object, api_version).zip(collection(object, api_version));
        let Some((path, collection)) = paths else {
            return refused(object, Why::Invalid, "Kubernetes does not allow its name");
        };
        let mut live = match self.live(object, &path, api_version).await {
            Ok(live) => live,
            Err(answered) => return *answered,
        };
        let mut sent = sent(object.kind, &manifest.value, live.as_ref());
        let mut answered = self
            .send(
                object,
                manifest,
                &mut sent,
                live.as_ref(),
                (&path, &collection),
            )
            .await;
        if object.kind == Kind::Secret {
            live.as_mut().map(facts::wipe).unwrap_or_default();
            facts::wipe(sent.body());
        }
        if let DryRunOutcome::Taken { dropped, .. } = &mut answered.said.outcome {
            dropped.truncate(MOST_FIELDS);
        }
        answered
    }

    /// The object as the cluster has it.
    async fn live(
        &self,
        object: &ObjectRef,
        path: &str,
        api_version: &str,
    ) -> Result<Option<Value>, Box<Answered>> {
        let answer = self.exchange(&Method::GET, path, "", None).await;
        let answer = answer.map_err(|why| Box::new(unknown(object, &why)))?;
        match answer.status {
            status if status.is_success() => Ok(Some(answer.body)),
            StatusCode::NOT_FOUND if names(&answer, &object.name) => Ok(None),
            StatusCode::NOT_FOUND => Err(Box::new(self.not_served(object, api_version))),
            StatusCode::FORBIDDEN => Err(Box::new(unknown(object, &may_not("get", object)))),
            _ => Err(Box::new(unknown(object, &says(&answer)))),
        }
    }

    async fn send(
        &self,
        object: &ObjectRef,
        manifest: &Manifest,
        sent: &mut Sent,
        live: Option<&Value>,
        (path, collection): (&str, &str),
    ) -> Answered {
        let verb = sent.verb();
        let mut answer = self.sent(sent, path, collection, false).await;
        let mut taken_over = None;
        if let (Ok(refusal), Sent::Apply { manager, .. }) = (&answer, &*sent)
            && refusal.status == StatusCode::CONFLICT
            && manager != "kubectl"
        {
            // Controllers take over what they apply; kubectl asks its user first.
            taken_over = Some(format!(
                "{} takes over fields of others: {}",
                clean_line(manager),
                refusal.words()
            ));
            answer = self.sent(sent, path, collection, true).await;
        }
        match answer {
            Ok(answer) if answer.status.is_success() => {
                let mut answered = taken(object, manifest, live, answer);
                answered.said.warnings.extend(taken_over);
                answered
            }
            Ok(answer) => {
                let outcome = self.refusal(object, verb, &answer).await;
                Answered {
                    said: DryRunAnswer {
                        warnings: answer.warnings,
                        ..said(object, outcome)
                    },
                    stored: None,
                }
            }
            Err(why) => unknown(object, &why),
        }
    }

    async fn sent(
        &self,
        sent: &mut Sent,
        path: &str,
        collection: &str,
        force: bool,
    ) -> Result<Answer, String> {
        let query = match sent {
            Sent::Apply { manager, .. } => format!(
                "?dryRun=All&fieldValidation=Warn&force={force}&fieldManager={}",
                utf8_percent_encode(manager, NON_ALPHANUMERIC)
            ),
            _ => "?dryRun=All&fieldValidation=Warn&fieldManager=kubectl-client-side-apply".into(),
        };
        let (method, path) = match sent {
            Sent::Create(_) => (Method::POST, collection),
            _ => (Method::PATCH, path),
        };
        let media = sent.media();
        let body = Some((media, &*sent.body()));
        self.exchange(&method, path, &query, body).await
    }

    /// One request and its answer; the error says why there is none.
    async fn exchange(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Answer, String> {
        let mut tries = 0;
        loop {
            if self.silent.load(Ordering::Relaxed) >= MOST_SILENT {
                return Err(format!(
                    "the API server did not answer {MOST_SILENT} requests in a row"
                ));
            }
            let request = exchange::request(method.clone(), path, query, body)
                .map_err(|error| bounded(&error.to_string()))?;
            let answer = exchange::ask(self.cluster, request, self.bound).await;
            tries += 1;
            match answer {
                Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS && tries < TRIES => {
                    let wait = Duration::from_secs(answer.retry_after.unwrap_or(1));
                    sleep(wait.min(LONGEST_WAIT)).await;
                }
                Ok(answer) => {
                    // A webhook that hangs lets reads pass.
                    if *method != Method::GET {
                        self.silent.store(0, Ordering::Relaxed);
                    }
                    return Ok(answer);
                }
                Err(why) => {
                    self.silent.fetch_add(1, Ordering::Relaxed);
                    return Err(format!("the API server does not answer: {why}"));
                }
            }
        }
    }

    async fn refusal(
        &self,
        object: &ObjectRef,
        verb: &'static str,
        answer: &Answer,
    ) -> DryRunOutcome {
        let words = answer.words();
        let about = answer
            .body
            .pointer("/details/kind")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let why = match answer.status {
            StatusCode::NOT_FOUND if about == "namespaces" => {
                if self.manifests.namespaces.contains(&object.namespace) {
                    return DryRunOutcome::Unknown(format!(
                        "namespace {} is among the files, and not in the cluster yet",
                        object.namespace
                    ));
                }
                Why::NoNamespace
            }
            StatusCode::FORBIDDEN if self.is_denied(object, verb, &words).await => {
                return DryRunOutcome::Unknown(may_not(verb, object));
            }
            StatusCode::BAD_REQUEST if words.contains("does not support dry run") => {
                return DryRunOutcome::Unknown(words);
            }
            StatusCode::CONFLICT => Why::Conflict,
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST
                if words.contains("immutable") || words.contains("may not change once set") =>
            {
                Why::Immutable
            }
            _ if is_admission(&words) => Why::Admission,
            StatusCode::FORBIDDEN => Why::Admission,
            StatusCode::BAD_REQUEST
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::PAYLOAD_TOO_LARGE => Why::Invalid,
            _ => return DryRunOutcome::Unknown(says(answer)),
        };
        DryRunOutcome::Refused(ManifestRefusal {
            causes: causes(&answer.body),
            words,
            why,
        })
    }

    /// Whether it is RBAC that says no, rather than a quota, a webhook or a policy.
    async fn is_denied(&self, object: &ObjectRef, verb: &'static str, words: &str) -> bool {
        let plural = object.kind.info().plural;
        if words.contains(&format!(" cannot {verb} resource \"{plural}\"")) {
            return true;
        }
        // Whoever stands before the API server says it otherwise.
        !is_admission(words) && matches!(may(self.cluster, verb, object).await, Ok(false))
    }

    fn not_served(&self, object: &ObjectRef, api_version: &str) -> Answered {
        let info = object.kind.info();
        let crd = (info.group.to_owned(), info.name.to_owned());
        if self.manifests.crds.contains(&crd) {
            let why = format!(
                "the CRD of {} is among the files, and not in the cluster yet",
                info.name
            );
            return unknown(object, &why);
        }
        let words = format!(
            "the cluster does not serve {} {}; install its CRDs first",
            clean_line(api_version),
            info.name
        );
        refused(object, Why::NotServed, &words)
    }
}

fn said(object: &ObjectRef, outcome: DryRunOutcome) -> DryRunAnswer {
    DryRunAnswer {
        object: object.clone(),
        place: String::new(),
        outcome,
        warnings: Vec::new(),
    }
}

fn unknown(object: &ObjectRef, why: &str) -> Answered {
    Answered {
        said: said(object, DryRunOutcome::Unknown(why.to_owned())),
        stored: None,
    }
}

fn refused(object: &ObjectRef, why: Why, words: &str) -> Answered {
    let refusal = ManifestRefusal {
        words: words.to_owned(),
        causes: Vec::new(),
        why,
    };
    Answered {
        said: said(object, DryRunOutcome::Refused(refusal)),
        stored: None,
    }
}

/// Whether a 404 is about an object of that name, not about a path that is not served.
fn names(answer: &Answer, name: &str) -> bool {
    answer.body.pointer("/details/name").and_then(Value::as_str) == Some(name)
}

fn is_admission(words: &str) -> bool {
    ["admission webhook", "ValidatingAdmissionPolicy"]
        .iter()
        .any(|who| words.contains(who))
}

fn may_not(verb: &str, object: &ObjectRef) -> String {
    let place = match object.namespace.as_str() {
        "" => String::new(),
        namespace => format!(" in namespace {namespace}"),
    };
    format!("you may not {verb} {}{place}", object.kind.info().plural)
}

fn says(answer: &Answer) -> String {
    format!(
        "the API server answers {}: {}",
        answer.status.as_u16(),
        answer.words()
    )
}

/// The fields that a `Status` names.
fn causes(status: &Value) -> Vec<(String, String)> {
    let causes = status.pointer("/details/causes").and_then(Value::as_array);
    causes
        .into_iter()
        .flatten()
        .filter_map(|cause| {
            let text = |key: &str| cause.get(key)?.as_str();
            let field = text("field").filter(|field| !field.is_empty())?;
            Some((bounded(field), bounded(text("message").unwrap_or_default())))
        })
        .take(MOST_FIELDS)
        .collect()
}
