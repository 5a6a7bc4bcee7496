//! The CA that nginx really uses: the file in the data-plane pod, which may be older than the Secret.
//! Only CA bundles are read, which hold no secret; a key never leaves the pod.

use ngf_probes::spec::Trust;
use ngf_tls::pem;

use super::{Exec, Transports};
use crate::Cluster;
use ngf_core::data_plane::DataPlanePod;
use ngf_core::model::object::ObjectRef;

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

/// Prints the time and the certificates of each file that NGF's agent writes. What stands between the lines
/// of a private key is left out first, whatever else is broken: a key never leaves the pod. Without `stat`
/// the time is 0.
const CERTIFICATES: &str = r#"cd /etc/nginx/secrets || exit 1
for file in *; do
  [ -f "$file" ] || continue
  echo "FILE $(stat -c %Y "$file" 2>/dev/null || echo 0) $file"
  sed -n -e '/-----BEGIN [A-Z0-9 ]*PRIVATE KEY/,/-----END [A-Z0-9 ]*PRIVATE KEY/d' -e '/-----BEGIN CERTIFICATE-----/,/-----END CERTIFICATE-----/p' "$file"
done"#;

/// The name by which it is known in the pod's list of processes.
const CERTIFICATES_NAME: &str = "ngf-tui-certificates";

/// Bytes of `nginx -T`; ten thousand routes are a few of the millions.
const CONFIGURATION: usize = 32 << 20;

/// What `nginx -T` prints in a data-plane pod, and what [`CERTIFICATES`] does.
///
/// # Errors
/// A sentence, where one of them cannot be run.
pub(crate) async fn configured(
    cluster: &Cluster,
    pod: &DataPlanePod,
) -> Result<(Vec<u8>, Vec<u8>), String> {
    let exec = Exec::in_data_plane(cluster, pod);
    let configuration = exec.output(&["nginx", "-T"], CONFIGURATION).await?;
    let certificates = certificates_on_disk(cluster, pod).await?;
    Ok((configuration, certificates))
}

/// What [`CERTIFICATES`] prints in a data-plane pod.
///
/// # Errors
/// A sentence, where it cannot be run.
pub(crate) async fn certificates_on_disk(
    cluster: &Cluster,
    pod: &DataPlanePod,
) -> Result<Vec<u8>, String> {
    let exec = Exec::in_data_plane(cluster, pod);
    let script = ["sh", "-c", CERTIFICATES, CERTIFICATES_NAME];
    exec.output(&script, 4 * MOST).await
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const CERTIFICATE: &str =
        "-----BEGIN CERTIFICATE-----\nY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
    const SECRET: &str = "c2VjcmV0";

    fn printed(shell: &[&str], content: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("pair.pem"), content).expect("a file");
        let place = folder.path().display().to_string();
        let output = Command::new(shell[0])
            .args(&shell[1..])
            .arg("-c")
            .arg(CERTIFICATES.replace(SECRETS, &place))
            .output()
            .expect("a shell");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    }

    /// NGF's image has busybox, its UBI variant GNU's sed.
    #[test]
    fn a_key_never_leaves_the_pod_whatever_the_file_looks_like() {
        let key = |kind: &str| format!("-----BEGIN {kind}-----\n{SECRET}\n-----END {kind}-----\n");
        let files = [
            format!("{CERTIFICATE}{}", key("PRIVATE KEY")),
            format!("{}{CERTIFICATE}", key("RSA PRIVATE KEY")),
            format!(
                "{}{CERTIFICATE}",
                key("EC PRIVATE KEY").replace('\n', "\r\n")
            ),
            format!(
                "{CERTIFICATE}-----BEGIN CERTIFICATE-----\n{}",
                key("ENCRYPTED PRIVATE KEY")
            ),
            format!("{CERTIFICATE}-----BEGIN PRIVATE KEY-----\n{SECRET}\n"),
            format!("{CERTIFICATE}{SECRET}\n"),
        ];
        let mut shells: Vec<&[&str]> = vec![&["sh"]];
        if std::path::Path::new("/usr/bin/busybox").exists() {
            shells.push(&["busybox", "sh"]);
        }
        for shell in shells {
            for file in &files {
                let text = printed(shell, file);
                assert!(text.contains("Y2VydGlmaWNhdGU="), "{file}: {text}");
                assert!(!text.contains(SECRET), "{shell:?} {file}: {text}");
            }
        }
    }
}
