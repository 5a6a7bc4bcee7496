//! The version of Kubernetes that the cluster says it is, and what follows from it.

/// `1.MINOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    /// The second number.
    pub(crate) minor: u32,
}

impl Version {
    /// `v1.33.0+ngf-tui`.
    pub(crate) fn git(self) -> String {
        format!("v1.{}.0+ngf-tui", self.minor)
    }

    /// What exec is spoken in: the fifth version, which can close a channel alone, since
    /// 1.30.
    pub(super) fn exec_protocols(self) -> &'static [&'static str] {
        if self.minor < 30 {
            &["v4.channel.k8s.io"]
        } else {
            &["v5.channel.k8s.io", "v4.channel.k8s.io"]
        }
    }

    /// From 1.35 on whoever starts a stream by GET has to have the right to create it too.
    pub(super) fn streams_are_created(self) -> bool {
        self.minor >= 35
    }
}
