//! The certificates in the files of a data-plane pod.

use jiff::Timestamp;
use ngf_text::sanitize;
use ngf_tls::{certificate::CertificateFacts, pem};
use serde::Serialize;

/// Files that are kept.
const FILES: usize = 4_000;

/// A file with certificates, and perhaps a key, which never left the pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct CertificateFile {
    /// `/etc/nginx/secrets/…`.
    pub path: String,
    /// When it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<Timestamp>,
    /// SHA-256 of each certificate, in the file's order.
    pub fingerprints: Vec<String>,
    /// Subjects of them.
    pub subjects: Vec<String>,
}

/// Reads what the tool prints of them in a pod: `FILE SECONDS NAME` and certificates, again and again.
pub fn parse(text: &[u8]) -> Vec<CertificateFile> {
    let text = String::from_utf8_lossy(text);
    let mut files: Vec<(CertificateFile, String)> = Vec::new();
    for line in text.lines() {
        let head = line
            .strip_prefix("FILE ")
            .and_then(|head| head.split_once(' '));
        if let Some((seconds, name)) = head {
            if files.len() == FILES {
                break;
            }
            let written = seconds.parse().ok().filter(|seconds| *seconds > 0);
            let file = CertificateFile {
                path: format!("/etc/nginx/secrets/{}", sanitize::line(name, 256)),
                written: written.and_then(|seconds: i64| Timestamp::from_second(seconds).ok()),
                fingerprints: Vec::new(),
                subjects: Vec::new(),
            };
            files.push((file, String::new()));
        } else if let Some((_, pem)) = files.last_mut() {
            pem.push_str(line);
            pem.push('\n');
        }
    }
    files
        .into_iter()
        .map(|(mut file, text)| {
            let facts: Vec<CertificateFacts> =
                pem::read_bundle(text.as_bytes()).unwrap_or_default();
            for facts in facts {
                file.fingerprints.push(facts.fingerprint_sha256);
                file.subjects.push(facts.subject);
            }
            file
        })
        .collect()
}
