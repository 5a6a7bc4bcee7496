//! The guide "Securing backend traffic using mutual TLS" as data: its `kubectl apply` steps in its
//! order, with its manifests, and the three stages that they make.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::error::SandboxError;

/// A place in the guide where one looks at what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The application, the Gateway and the route are there, and nothing says that the backend
    /// speaks TLS: HTTP 400.
    Before,
    /// The Gateway has a client certificate, and still no policy: HTTP 400.
    ClientCertificate,
    /// The BackendTLSPolicy is there: HTTP 200.
    Policy,
}

impl Stage {
    /// All stages, in the guide's order.
    pub const ALL: [Self; 3] = [Self::Before, Self::ClientCertificate, Self::Policy];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::ClientCertificate => "client-certificate",
            Self::Policy => "policy",
        }
    }

    /// A heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Before => "Before backend TLS",
            Self::ClientCertificate => "The Gateway has a client certificate",
            Self::Policy => "The BackendTLSPolicy is in place",
        }
    }

    /// What one sees here, and why.
    pub fn text(self) -> &'static str {
        match self {
            Self::Before => {
                "secure-app accepts only HTTPS, and asks every client for a certificate. The Gateway \
                 routes to it and knows neither: it speaks plain HTTP to the TLS port, and secure-app \
                 answers 400, \"The plain HTTP request was sent to HTTPS port\"."
            }
            Self::ClientCertificate => {
                "cert-manager has issued a certificate for the Gateway, and the Gateway refers to its \
                 Secret. Nothing changes yet: without a BackendTLSPolicy there is no TLS to present \
                 the certificate in, and secure-app still answers 400."
            }
            Self::Policy => {
                "The BackendTLSPolicy tells the Gateway to speak TLS to secure-app and which CA to \
                 trust. Both sides now prove themselves: the answer is 200, \"hello from pod \
                 secure-app\", and the pod logs ssl_client_verify=SUCCESS \
                 ssl_client_subject=CN=gateway."
            }
        }
    }

    /// The steps that lead here from the stage before.
    pub fn steps(self) -> impl Iterator<Item = &'static Step> {
        STEPS.iter().filter(move |step| step.stage == self)
    }

    /// The stage after this one.
    pub fn next(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }

    /// The stage before this one.
    pub fn previous(self) -> Option<Self> {
        (self as usize)
            .checked_sub(1)
            .and_then(|index| Self::ALL.get(index).copied())
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Stage {
    type Err = SandboxError;

    fn from_str(text: &str) -> Result<Self, SandboxError> {
        Self::ALL
            .into_iter()
            .find(|stage| stage.name() == text)
            .ok_or_else(|| SandboxError::UnknownStage(text.to_owned()))
    }
}

/// One `kubectl apply` of the guide.
#[derive(Debug)]
pub struct Step {
    /// The stage that it belongs to.
    pub stage: Stage,
    /// What it does, in a few words.
    pub title: &'static str,
    /// What it does, and what for.
    pub text: &'static str,
    /// What is applied.
    pub manifest: &'static str,
}

/// The steps, in the guide's order.
pub static STEPS: &[Step] = &[
    Step {
        stage: Stage::Before,
        title: "Create the issuers and the local CA",
        text: "A self-signed ClusterIssuer issues the CA certificate LocalCA, and the ClusterIssuer \
               local-ca-issuer signs certificates with it in any namespace.",
        manifest: include_str!("objects/manifests/issuers.yaml"),
    },
    Step {
        stage: Stage::Before,
        title: "Issue the backend's certificate",
        text: "cert-manager creates the Secret app-tls-secret: tls.crt and tls.key for secure-app's \
               HTTPS, and ca.crt, by which it validates the Gateway's client certificate.",
        manifest: include_str!("objects/manifests/secure-app-cert.yaml"),
    },
    Step {
        stage: Stage::Before,
        title: "Deploy secure-app",
        text: "An nginx that accepts only HTTPS, verifies client certificates (ssl_verify_client on) \
               and logs what it found.",
        manifest: include_str!("objects/manifests/secure-app.yaml"),
    },
    Step {
        stage: Stage::Before,
        title: "Create the Gateway",
        text: "One HTTP listener on port 80. NGINX Gateway Fabric provisions an nginx pod and a \
               Service for it.",
        manifest: include_str!("objects/manifests/gateway.yaml"),
    },
    Step {
        stage: Stage::Before,
        title: "Create the HTTPRoute",
        text: "Requests for secure-app.example.com go to the Service secure-app on port 8443.",
        manifest: include_str!("objects/manifests/httproute.yaml"),
    },
    Step {
        stage: Stage::ClientCertificate,
        title: "Issue the Gateway's client certificate",
        text: "cert-manager creates the Secret gateway-presents-this-cert-for-validation, signed by \
               the same local CA.",
        manifest: include_str!("objects/manifests/gateway-client-cert.yaml"),
    },
    Step {
        stage: Stage::ClientCertificate,
        title: "Let the Gateway present it",
        text: "spec.tls.backend.clientCertificateRef of the Gateway names the Secret.",
        manifest: include_str!("objects/manifests/gateway-with-client-certificate.yaml"),
    },
    Step {
        stage: Stage::Policy,
        title: "Issue a certificate whose Secret holds the CA",
        text: "cert-manager creates the Secret backend-cert; its ca.crt is the local CA.",
        manifest: include_str!("objects/manifests/backend-ca-ref.yaml"),
    },
    Step {
        stage: Stage::Policy,
        title: "Create the BackendTLSPolicy",
        text: "It targets the Service secure-app, takes ca.crt of the Secret backend-cert to verify \
               the backend's certificate, and names the host that the certificate must be for.",
        manifest: include_str!("objects/manifests/backend-tls.yaml"),
    },
];

/// The objects of a manifest of this module, which are known to be readable: a test reads them all.
pub(crate) fn objects(manifest: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for document in manifest.split("\n---\n") {
        if let Ok(object) = serde_saphyr::from_str::<Value>(document) {
            found.push(object);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_is_read_completely() {
        let manifests = STEPS.iter().map(|step| step.manifest);
        for manifest in manifests.chain([include_str!("objects/manifests/install.yaml")]) {
            let kinds = manifest
                .lines()
                .filter(|line| line.starts_with("kind: "))
                .count();
            assert_eq!(objects(manifest).len(), kinds, "{manifest}");
        }
    }

    #[test]
    fn stages_are_found_by_name_and_follow_each_other() {
        for stage in Stage::ALL {
            assert_eq!(stage.name().parse::<Stage>().unwrap(), stage);
            assert!(stage.steps().count() > 0);
            if let Some(next) = stage.next() {
                assert_eq!(next.previous(), Some(stage));
            }
        }
        let error = "after".parse::<Stage>().unwrap_err().to_string();
        assert!(
            error.contains("before, client-certificate or policy"),
            "{error}"
        );
    }
}
