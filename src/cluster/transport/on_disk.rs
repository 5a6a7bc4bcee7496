//! The CA that nginx really uses: the file in the data-plane pod, which may be older than the Secret.
//! Only CA bundles are read, which hold no secret; a key never leaves the pod.

use ngf_probes::{pem, spec::Trust};

use super::{DataPlanePod, Exec, Transports};
use crate::model::object::ObjectRef;

/// Where NGF's agent writes certificates.
const SECRETS: &str = "/etc/nginx/secrets";
/// Bytes of a bundle; a Secret holds 1 MiB at most.
const MOST: usize = 2 << 20;

/// A CA bundle as it stands on a data-plane pod's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnDisk {
    /// The file, for messages: `/etc/nginx/secrets/cert_bundle_shop_ca.crt in Pod shop/gateway-nginx-1`.
    pub origin: String,
    /// PEM text.
    pub pem: Vec<u8>,
}

impl OnDisk {
    /// Lets a probe trust this instead of what the Secret or ConfigMap holds now, where they differ;
    /// says so then.
    pub fn replace(&self, trust: &mut Trust) -> Option<String> {
        let Trust::Bundle { pem, origin } = trust else {
            return None;
        };
        if same_certificates(pem, &self.pem) {
            return None;
        }
        let note = format!(
            "{} is not what {origin} holds now: nginx there trusts the older one until NGF's agent writes the new one and nginx reloads.",
            self.origin
        );
        pem.clone_from(&self.pem);
        *origin = format!("{} (not what {origin} holds now)", self.origin);
        Some(note)
    }
}

impl Transports {
    /// Reads the bundle that NGF made of a Secret or ConfigMap, in a data-plane pod
    /// (`cert_bundle_<namespace>_<name>.crt`, whatever the kind).
    ///
    /// # Errors
    /// A sentence, where it cannot be read.
    pub async fn bundle_on_disk(
        &self,
        pod: &DataPlanePod,
        object: &ObjectRef,
    ) -> Result<OnDisk, String> {
        let path = format!(
            "{SECRETS}/cert_bundle_{}_{}.crt",
            object.namespace, object.name
        );
        let exec = Exec::in_data_plane(self.cluster(), pod);
        let pem = exec.output(&["cat", &path], MOST).await?;
        Ok(OnDisk {
            origin: format!("{path} in {}", pod.pod),
            pem,
        })
    }
}

/// Whether two bundles hold the same certificates, in the same order, whatever stands between them.
pub fn same_certificates(a: &[u8], b: &[u8]) -> bool {
    let fingerprints = |text: &[u8]| {
        let certificates = pem::read_bundle(text).ok()?;
        Some(
            certificates
                .into_iter()
                .map(|certificate| certificate.fingerprint_sha256)
                .collect::<Vec<_>>(),
        )
    };
    match (fingerprints(a), fingerprints(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}
