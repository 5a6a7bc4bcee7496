# The Homebrew formula: assets/packaging/manifests fills in the version and the checksums of a release.
# OWNER in the addresses is a placeholder, as in Cargo.toml.
class NgfTui < Formula
  desc "Find out why mutual TLS between NGINX Gateway Fabric and a backend breaks"
  homepage "https://github.com/OWNER/ngf-tui"
  version "@VERSION@"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "https://github.com/OWNER/ngf-tui/releases/download/v@VERSION@/ngf-tui-v@VERSION@-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256:aarch64-apple-darwin@"
    end
    on_intel do
      url "https://github.com/OWNER/ngf-tui/releases/download/v@VERSION@/ngf-tui-v@VERSION@-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256:x86_64-apple-darwin@"
    end
  end

  on_linux do
    on_arm do
      url "https://github.com/OWNER/ngf-tui/releases/download/v@VERSION@/ngf-tui-v@VERSION@-aarch64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256:aarch64-unknown-linux-musl@"
    end
    on_intel do
      url "https://github.com/OWNER/ngf-tui/releases/download/v@VERSION@/ngf-tui-v@VERSION@-x86_64-unknown-linux-musl.tar.gz"
      sha256 "@SHA256:x86_64-unknown-linux-musl@"
    end
  end

  def install
    bin.install "ngf-tui", "kubectl-ngf"
    pkgshare.install "rbac.yaml", "k9s-plugins.yaml"
    generate_completions_from_executable(bin/"ngf-tui", "completions", shells: [:bash, :zsh, :fish])
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/ngf-tui --version")
    assert_match "NGF-T1", shell_output("#{bin}/kubectl-ngf explain NGF-T1")
  end
end
