//! What is read when somebody asks for it: the values that a probe needs, and logs.

use futures::AsyncReadExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::LogParams};
use ngf_probes::spec::ClientIdentity;
use ngf_text::sanitize;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{
    Cluster, ClusterError,
    by_name::{can_exist, get},
    error::Failure,
    request::{ANSWER, no_answer},
    transport::rule,
};
use ngf_core::model::{
    decode::{self, Decoded},
    facts,
    kind::Kind,
    object::ObjectRef,
    rights::FORBIDS,
    snapshot::Lookup,
};

/// Bytes of a log that are read where nobody says.
const LOG_BYTES: u32 = 1 << 20;

/// Which part of a log.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// Lines from this moment on.
    pub since: Option<Timestamp>,
    /// Lines of the last so many seconds, by the node's clock, whatever this machine's says.
    pub seconds: Option<u32>,
    /// The last so many lines.
    pub tail: Option<u32>,
    /// At most so many bytes; 1 MiB where not said, and never more than 64 MiB.
    pub limit: Option<u32>,
    /// Each line begins with its time (RFC 3339).
    pub timestamps: bool,
    /// Of the container's last run before this one.
    pub previous: bool,
}

impl Cluster {
    /// The certificate and key of a Secret of type `kubernetes.io/tls`, for a probe.
    ///
    /// # Errors
    /// [`ClusterError::Object`] where it does not exist, may not be read, or lacks a key.
    pub async fn load_identity(&self, secret: &ObjectRef) -> Result<ClientIdentity, ClusterError> {
        let mut value = self.load(secret).await?;
        let certificate = facts::value_of(&value, "tls.crt");
        let key = facts::value_of(&value, "tls.key");
        facts::wipe(&mut value);
        let missing = |key: &str| object_error(secret, format!("has no readable key {key}"));
        Ok(ClientIdentity {
            certificate_pem: certificate.ok_or_else(|| missing("tls.crt"))?.to_vec(),
            key_pem: key.ok_or_else(|| missing("tls.key"))?,
            origin: secret.to_string(),
        })
    }

    /// The bytes under `key` of a Secret or ConfigMap.
    ///
    /// # Errors
    /// [`ClusterError::Object`] where it does not exist, may not be read, or lacks the key.
    pub async fn load_bundle(
        &self,
        object: &ObjectRef,
        key: &str,
    ) -> Result<Vec<u8>, ClusterError> {
        let mut value = self.load(object).await?;
        let bytes: Option<Zeroizing<Vec<u8>>> = facts::value_of(&value, key);
        if object.kind == Kind::Secret {
            facts::wipe(&mut value);
        }
        match bytes {
            Some(bytes) => Ok(bytes.to_vec()),
            None => Err(object_error(object, format!("has no readable key {key}"))),
        }
    }

    async fn load(&self, object: &ObjectRef) -> Result<serde_json::Value, ClusterError> {
        if !matches!(object.kind, Kind::Secret | Kind::ConfigMap) {
            return Err(object_error(object, "holds no certificates".to_owned()));
        }
        match get(&self.client, object).await {
            Ok(parsed) => Ok(parsed.value.into()),
            Err(failure) => Err(object_error(
                object,
                cannot_be_read(&failure, &object.namespace, object.kind.info().plural),
            )),
        }
    }

    /// A Secret (as facts) or ConfigMap by its name.
    pub async fn look_up(&self, object: &ObjectRef) -> Lookup<Box<Decoded>> {
        match get(&self.client, object).await {
            Ok(incoming) => match decode::object(object.kind, incoming, &object.namespace) {
                Ok(decoded) => Lookup::Found(Box::new(decoded)),
                Err(problem) => Lookup::Unknown(problem.message),
            },
            Err(Failure::NotFound(_)) => Lookup::Absent,
            Err(failure) => Lookup::Unknown(failure.words().to_owned()),
        }
    }

    /// Part of the log of a container. Control characters are left out; lines end in line feeds.
    ///
    /// # Errors
    /// [`ClusterError::Object`] where there is no such pod or container, or the log may not be read.
    pub async fn pod_log(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        options: &LogOptions,
    ) -> Result<String, ClusterError> {
        let reference = ObjectRef::new(Kind::Pod, namespace, pod);
        if !can_exist(&reference) {
            return Err(object_error(&reference, "does not exist".to_owned()));
        }
        self.log_text(&reference, container, options)
            .await
            .map_err(|failure| log_problem(&reference, container, &failure))
    }

    /// The same, of a pod whose name can exist.
    pub(super) async fn log_text(
        &self,
        pod: &ObjectRef,
        container: &str,
        options: &LogOptions,
    ) -> Result<String, Failure> {
        let limit = options.limit.unwrap_or(LOG_BYTES).min(64 << 20);
        let mut params = log_params(container, options);
        params.limit_bytes = Some(i64::from(limit));
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let reading = async {
            let stream = pods.log_stream(&pod.name, &params).await?;
            let mut bytes = Vec::new();
            // not every server keeps to limitBytes
            let mut stream = stream.take(u64::from(limit));
            stream.read_to_end(&mut bytes).await?;
            Ok::<_, Failure>(bytes)
        };
        let bytes = timeout(ANSWER, reading)
            .await
            .unwrap_or_else(|_| Err(no_answer(ANSWER)))?;
        Ok(sanitize::block(
            &String::from_utf8_lossy(&bytes),
            bytes.len(),
        ))
    }
}

/// What to ask the API server for, without a bound on bytes.
pub(super) fn log_params(container: &str, options: &LogOptions) -> LogParams {
    // kube rounds to the nearest second, and the next one would leave lines out.
    let whole = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at);
    LogParams {
        container: Some(container.to_owned()),
        since_time: options
            .since
            .filter(|_| options.seconds.is_none())
            .map(whole),
        since_seconds: options.seconds.map(i64::from),
        tail_lines: options.tail.map(i64::from),
        timestamps: options.timestamps,
        previous: options.previous,
        ..LogParams::default()
    }
}

/// A log that cannot be read.
pub(super) fn log_problem(pod: &ObjectRef, container: &str, failure: &Failure) -> ClusterError {
    let why = cannot_be_read(failure, &pod.namespace, "pods/log");
    object_error(pod, format!("container {container:?}: its log {why}"))
}

fn cannot_be_read(failure: &Failure, namespace: &str, resource: &str) -> String {
    match failure {
        Failure::Denied(words) => format!(
            "may not be read: {FORBIDS} ({words}); let an administrator {}",
            rule(namespace, resource, &["get"])
        ),
        Failure::NotFound(words) if words.is_empty() => "does not exist".to_owned(),
        Failure::NotFound(words) => format!("does not exist: {words}"),
        failure => format!("cannot be read: {}", failure.words()),
    }
}

pub(super) fn object_error(object: &ObjectRef, why: String) -> ClusterError {
    ClusterError::Object {
        object: object.clone(),
        why,
    }
}
