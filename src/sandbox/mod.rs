//! stub
use std::{fmt, str::FromStr};
pub struct Sandbox;
pub struct SandboxOptions {
    pub scenario: &'static Scenario,
    pub stage: Stage,
}
#[derive(Debug)]
pub struct SandboxError;
impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("x")
    }
}
impl std::error::Error for SandboxError {}
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    Before,
    ClientCertificate,
    Policy,
}
impl Stage {
    pub const ALL: [Self; 3] = [Self::Before, Self::ClientCertificate, Self::Policy];
    pub fn name(self) -> &'static str {
        ""
    }
    pub fn title(self) -> &'static str {
        ""
    }
    pub fn text(self) -> &'static str {
        ""
    }
}
impl FromStr for Stage {
    type Err = SandboxError;
    fn from_str(_: &str) -> Result<Self, SandboxError> {
        Err(SandboxError)
    }
}
pub struct Scenario {
    pub name: &'static str,
    pub title: &'static str,
    pub shows: &'static str,
}
pub static SCENARIOS: &[Scenario] = &[];
impl Scenario {
    pub fn find(_: &str) -> Result<&'static Self, SandboxError> {
        Err(SandboxError)
    }
}
impl Sandbox {
    pub async fn start(_: SandboxOptions) -> Result<Self, SandboxError> {
        Err(SandboxError)
    }
    pub fn kubeconfig(&self) -> String {
        String::new()
    }
    pub async fn set_stage(&mut self, _: Stage) -> Result<(), SandboxError> {
        Ok(())
    }
    pub async fn shutdown(self) {}
}
