//! What an image holds, told from its name: there is no registry here, and nothing is pulled.

/// What is known of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Image {
    /// What a container does that is given no command.
    pub(crate) entry: Entry,
    /// What is in its `$PATH`.
    tools: Tools,
}

/// What a container does that is given no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It serves, or is said to: whatever arguments it has are its own.
    Serves,
    /// It runs this command, or the one that it is given.
    Runs(&'static str),
    /// It is this tool: what it is given are its arguments.
    Tool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tools {
    /// busybox and everything that it stands for.
    Busybox,
    /// busybox's, bash and nginx: NGF's image, built on alpine.
    AlpineNginx,
    /// A shell, coreutils and bash, and no nc: images built on Debian or on a universal base image.
    Debian,
    /// The same with nginx.
    DebianNginx,
    /// nginx alone.
    Distroless,
    /// This tool alone.
    Tool,
}

/// Programs that every image with a shell has.
const SMALL: &[&str] = &["cat", "sh", "sleep", "true"];

/// A registry that no name leads to (RFC 2606), or an image that says so itself.
const NOWHERE: &[&str] = &[".invalid/", "does-not-exist"];

impl Image {
    /// What is known of the image of this name.
    pub(crate) fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        let has = |part: &str| name.contains(part);
        let nginx = has("nginx");
        let (entry, tools) = if has("ngf-tui") {
            (Entry::Tool, Tools::Tool)
        } else if has("distroless") {
            (Entry::Serves, Tools::Distroless)
        } else if has("nginx-gateway-fabric/nginx") && !has("ubi") || nginx && has("alpine") {
            (Entry::Serves, Tools::AlpineNginx)
        } else if nginx {
            (Entry::Serves, Tools::DebianNginx)
        } else if has("busybox") || has("alpine") || has("netshoot") {
            (Entry::Runs("sh"), Tools::Busybox)
        } else if has("debian") || has("ubuntu") {
            (Entry::Runs("bash"), Tools::Debian)
        } else {
            (Entry::Serves, Tools::Debian)
        };
        Self { entry, tools }
    }

    /// Whether a program is there. A path is taken by its last part.
    pub(crate) fn holds(self, program: &str) -> bool {
        let program = match program.rsplit_once('/') {
            Some(("" | "/bin" | "/usr/bin" | "/sbin" | "/usr/sbin" | "/usr/local/bin", name)) => {
                name
            }
            Some(_) => return false,
            None => program,
        };
        let small = SMALL.contains(&program);
        match self.tools {
            Tools::Busybox => small || matches!(program, "busybox" | "nc"),
            Tools::AlpineNginx => small || matches!(program, "bash" | "busybox" | "nc" | "nginx"),
            Tools::Debian => small || program == "bash",
            Tools::DebianNginx => small || matches!(program, "bash" | "nginx"),
            Tools::Distroless => program == "nginx",
            Tools::Tool => program == "ngf-tui",
        }
    }

    /// Why an image of this name cannot be had; `None` where it can.
    pub(crate) fn cannot_be_pulled(name: &str) -> Option<String> {
        let part = NOWHERE.iter().find(|part| name.contains(**part))?;
        let (registry, _) = name.split_once('/').unwrap_or(("docker.io", name));
        let full = if name.contains(':') {
            name.to_owned()
        } else {
            format!("{name}:latest")
        };
        Some(if part.starts_with('.') {
            format!(
                "failed to pull and unpack image \"{full}\": failed to resolve reference \"{full}\": \
                 failed to do request: Head \"https://{registry}/v2/\": dial tcp: lookup {registry}: \
                 no such host"
            )
        } else {
            format!(
                "failed to pull and unpack image \"{full}\": failed to resolve reference \"{full}\": \
                 {full}: not found"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_hold_what_those_of_the_field_hold() {
        let ngf = Image::of("ghcr.io/nginx/nginx-gateway-fabric/nginx:2.6.7");
        let ubi = Image::of("ghcr.io/nginx/nginx-gateway-fabric/nginx:2.6.7-ubi");
        let app = Image::of("nginxinc/nginx-unprivileged:latest");
        let bare = Image::of("registry.example.com/distroless-nginx:1");
        for (image, program, there) in [
            (ngf, "nc", true),
            (ngf, "/usr/sbin/nginx", true),
            (ngf, "openssl", false),
            (ubi, "nc", false),
            (ubi, "bash", true),
            (app, "nc", false),
            (app, "sh", true),
            (bare, "sh", false),
            (bare, "nginx", true),
            (Image::of("busybox"), "nc", true),
            (Image::of("busybox"), "nginx", false),
            (Image::of("busybox"), "/etc/passwd", false),
            (Image::of("example.com/ngf-tui:1"), "ngf-tui", true),
            (Image::of("example.com/ngf-tui:1"), "sh", false),
        ] {
            assert_eq!(image.holds(program), there, "{image:?} {program}");
        }
    }

    #[test]
    fn a_name_that_leads_nowhere_cannot_be_pulled() {
        let why = Image::cannot_be_pulled("registry.invalid/busybox").expect("no such host");
        assert!(
            why.ends_with("lookup registry.invalid: no such host"),
            "{why}"
        );
        assert_eq!(Image::cannot_be_pulled("busybox"), None);
    }
}
