//! What a probe is made of: the CA, the client certificate and the name that nginx is configured with, as
//! the Secrets hold them and as they stand on nginx's disk.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ngf_probes::spec::{BackendTrust, ClientIdentity, HttpSpec, ProbeSpec, TlsSpec, Trust};
use ngf_tls::{
    chain::{Certificates, NGINX_SERVER_DEPTH},
    mark::{PROBE, marked},
    pem,
    transcript::{Outcome, Transcript},
};
use tokio::sync::OnceCell;

use crate::{
    nginx_config::certificate_files,
    transport::{OnDisk, Transports, Way},
};
use ngf_core::{
    data_plane::DataPlanePod,
    diagnosis::{
        mounted::with_certificates,
        ngf::key_pair_file,
        plan::{PlannedTls, ProbePlan, TrustSource},
    },
    model::{kind::Kind, object::ObjectRef, snapshot::Snapshot},
    nginx_config::CertificateFile,
};
use ngf_text::in_words;

/// The CAs by which a Service's pods probably check clients: the one `ca.crt` that they mount.
pub fn mounted_trust(snapshot: &Snapshot, service: &ObjectRef) -> Option<BackendTrust> {
    let service = snapshot.services.get(service)?;
    let mounted = with_certificates(snapshot, service, "ca.crt");
    let [(mounted, facts)] = mounted.as_slice() else {
        return None;
    };
    let der = facts.iter().map(|facts| facts.der.clone());
    Some(BackendTrust {
        trusted: Certificates::Der(der.collect()),
        origin: format!("{}[ca.crt], which its pods mount,", mounted.source),
        depth: NGINX_SERVER_DEPTH,
    })
}

/// What a probe is made of, and how that differs from what the objects hold.
pub(super) struct Read {
    pub(super) spec: ProbeSpec,
    /// A sentence for each difference, and for what could not be compared.
    pub(super) notes: Vec<String>,
    /// Why the client's direction is not proven: nginx presents another certificate.
    other_client_certificate: Option<String>,
}

impl Read {
    /// Says what the transcript does not prove.
    pub(super) fn qualify(&self, transcript: &mut Transcript) {
        let Some(why) = &self.other_client_certificate else {
            return;
        };
        // Where nginx refuses the backend first, or the backend asks for no certificate, it does not matter.
        let depends = !matches!(
            transcript.nginx.outcome,
            Outcome::VerifyError | Outcome::NameMismatch | Outcome::ConnectError | Outcome::Timeout
        );
        if depends && transcript.client_certificate.requested {
            transcript.client_certificate.not_proven = Some(why.clone());
            transcript.nginx.client_status = None;
            transcript.not_proven.push(why.clone());
        }
    }
}

/// Values that are read once, each by its key, however many ask at the same time.
struct Memo<K, V>(Mutex<BTreeMap<K, Arc<OnceCell<V>>>>);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl<K: Ord, V: Clone> Memo<K, V> {
    async fn get(&self, key: K, read: impl Future<Output = V>) -> V {
        let cell = {
            let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(key).or_default())
        };
        cell.get_or_init(|| read).await.clone()
    }
}

/// Everything that was read for probes so far. Private keys among it are zeroed when it is dropped.
#[derive(Default)]
pub(super) struct Inputs {
    bundles: Memo<(ObjectRef, String), Result<Vec<u8>, String>>,
    identities: Memo<ObjectRef, Result<ClientIdentity, String>>,
    /// By data-plane pod and the object that NGF made the file of.
    on_disk: Memo<(ObjectRef, ObjectRef), Result<OnDisk, String>>,
    files: Memo<ObjectRef, Result<Vec<CertificateFile>, String>>,
}

impl Inputs {
    /// What a probe of this plan is made of, where it uses this transport: from the data plane's own
    /// container it trusts the CA on that pod's disk, as nginx does.
    ///
    /// # Errors
    /// A sentence, where something that the plan names cannot be read.
    pub(super) async fn read(
        &self,
        transports: &Transports,
        plan: &ProbePlan,
        way: &Way,
        timeout: Duration,
    ) -> Result<Read, String> {
        let tls = match &plan.tls {
            Some(tls) => Some(self.tls(transports, tls).await?),
            None => None,
        };
        let mut read = Read {
            spec: ProbeSpec {
                host: plan.endpoint.address.clone(),
                port: plan.endpoint.port,
                tls,
                // A call of a route's own method could change something.
                http: if plan.route.kind == Kind::GRPCRoute {
                    HttpSpec::health_check(plan.host.clone())
                } else {
                    HttpSpec {
                        method: "GET".to_owned(),
                        host: plan.host.clone(),
                        path: marked(&plan.path, PROBE),
                    }
                },
                protocol: plan.protocol,
                timeout,
            },
            notes: Vec::new(),
            other_client_certificate: None,
        };
        if let (Some(pod), Some(tls)) = (&way.data_plane, &plan.tls) {
            let trust = self.trust_the_disk(transports, &mut read.spec, tls, pod);
            read.notes.extend(trust.await);
            let other = self.client_certificate(transports, &read.spec, tls, pod);
            match other.await {
                Ok(other) => read.other_client_certificate = other,
                Err(why) => read.notes.push(why),
            }
        }
        Ok(read)
    }

    async fn tls(&self, transports: &Transports, tls: &PlannedTls) -> Result<TlsSpec, String> {
        let cluster = transports.cluster();
        let trust = match &tls.trust {
            TrustSource::System => Trust::System,
            TrustSource::Object { object, key } => {
                let read = async {
                    let read = cluster.load_bundle(object, key).await;
                    read.map_err(|error| in_words(&error))
                };
                Trust::Bundle {
                    pem: self
                        .bundles
                        .get((object.clone(), key.clone()), read)
                        .await?,
                    origin: format!("{object}[{key}]"),
                }
            }
        };
        let client_identity = match &tls.client_certificate {
            None => None,
            Some(secret) => {
                let read = async {
                    let read = cluster.load_identity(secret).await;
                    read.map_err(|error| in_words(&error))
                };
                Some(self.identities.get(secret.clone(), read).await?)
            }
        };
        Ok(TlsSpec {
            server_name: tls.hostname.clone(),
            trust,
            client_identity,
            verify_depth: tls.verify_depth,
            at: None,
        })
    }

    /// nginx trusts the file in its own pod, which the Secret may have left behind.
    async fn trust_the_disk(
        &self,
        transports: &Transports,
        spec: &mut ProbeSpec,
        planned: &PlannedTls,
        pod: &DataPlanePod,
    ) -> Option<String> {
        let TrustSource::Object { object, .. } = &planned.trust else {
            return None;
        };
        let key = (pod.pod.clone(), object.clone());
        let read = transports.bundle_on_disk(pod, object);
        match self.on_disk.get(key, read).await {
            Ok(on_disk) => on_disk.replace(&mut spec.tls.as_mut()?.trust),
            Err(why) => Some(format!(
                "the CA on the disk of {} could not be read, so the probe trusts what {object} holds now: {why}",
                pod.pod
            )),
        }
    }

    /// Why the client's direction is not proven: nginx has another certificate on its disk than the Secret
    /// holds now, and its key never leaves the pod.
    async fn client_certificate(
        &self,
        transports: &Transports,
        spec: &ProbeSpec,
        planned: &PlannedTls,
        pod: &DataPlanePod,
    ) -> Result<Option<String>, String> {
        let (Some(secret), Some(identity)) = (
            &planned.client_certificate,
            spec.tls
                .as_ref()
                .and_then(|tls| tls.client_identity.as_ref()),
        ) else {
            return Ok(None);
        };
        let read = certificate_files(transports.cluster(), pod);
        let files = self.files.get(pod.pod.clone(), read).await;
        let files = files.map_err(|why| {
            format!(
                "the client certificate on the disk of {} could not be compared with {secret}: {why}",
                pod.pod
            )
        })?;
        let path = key_pair_file(&secret.namespace, &secret.name);
        // Where NGF calls the file otherwise, there is nothing to compare.
        let Some(file) = files.iter().find(|file| file.path == path) else {
            return Ok(None);
        };
        let held: Vec<String> = pem::read_bundle(&identity.certificate_pem)
            .unwrap_or_default()
            .into_iter()
            .map(|facts| facts.fingerprint_sha256)
            .collect();
        Ok((held != file.fingerprints).then(|| {
            format!(
                "client direction not proven: nginx presents the certificate in {path} in {}, which differs from what {secret} holds now; its key stays in the pod",
                pod.pod
            )
        }))
    }
}

#[cfg(test)]
mod tests {
    use ngf_tls::protocol::Protocol;
    use serde_json::json;

    use super::*;

    fn transcript(outcome: &str, requested: bool) -> Transcript {
        let transcript = json!({
            "schema": "ngf-tui/probe/v1", "started_at": "", "duration_us": 0, "target": "",
            "address": null, "via": "exec", "engine": {"name": "", "version": ""},
            "nginx": {
                "outcome": outcome, "verify_code": null, "verify_text": null, "alert": null,
                "client_status": 400, "log_line": null, "sentence": ""
            },
            "tls": null, "verify_trace": [], "server_chain": [], "steps": [], "http": null,
            "client_certificate": {
                "requested": requested, "acceptable_cas": [], "sent": requested, "subject": null
            }
        });
        serde_json::from_value(transcript).expect("a transcript")
    }

    /// nginx presents another certificate than the probe: only what nginx refuses first is proven.
    #[test]
    fn another_client_certificate_on_the_disk_leaves_the_clients_direction_open() {
        let read = |other: Option<&str>| Read {
            spec: ProbeSpec {
                host: String::new(),
                port: 1,
                tls: None,
                http: HttpSpec {
                    method: "GET".to_owned(),
                    host: String::new(),
                    path: "/".to_owned(),
                },
                protocol: Protocol::Http1,
                timeout: Duration::from_secs(1),
            },
            notes: Vec::new(),
            other_client_certificate: other.map(str::to_owned),
        };
        for (other, outcome, requested, is_open) in [
            (Some("differs"), "http_error", true, true),
            (Some("differs"), "ok", true, true),
            (Some("differs"), "verify_error", true, false),
            (Some("differs"), "ok", false, false),
            (None, "http_error", true, false),
        ] {
            let mut seen = transcript(outcome, requested);
            read(other).qualify(&mut seen);
            let what = format!("{other:?} {outcome} {requested}");
            assert_eq!(
                seen.client_certificate.not_proven.is_some(),
                is_open,
                "{what}"
            );
            assert_eq!(seen.nginx.client_status.is_none(), is_open, "{what}");
            assert_eq!(seen.not_proven.len(), usize::from(is_open), "{what}");
        }
    }

    #[tokio::test]
    async fn what_is_read_once_is_not_read_again() {
        let memo: Memo<&str, u32> = Memo::default();
        assert_eq!(memo.get("a", async { 1 }).await, 1);
        assert_eq!(memo.get("a", async { 2 }).await, 1);
        assert_eq!(memo.get("b", async { 3 }).await, 3);
    }
}
