//! `auth-provider: oidc` of a kubeconfig: the ID token is renewed at a provider behind TLS, whose certificate the
//! system's CAs, a file or the kubeconfig itself vouch for.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

use crate::{
    kubectl::Refusing,
    support::{has_peer, ngf_tui},
};

/// An identity provider: Python's HTTP server with TLS. It knows one refresh token, and its client by the parameters
/// of the form alone.
const PROVIDER: &str = r#"
import http.server, json, ssl, sys, urllib.parse
class Provider(http.server.BaseHTTPRequestHandler):
    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer({"token_endpoint": "https://127.0.0.1:%d/token" % server.server_port})
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = {name: values[0] for name, values in urllib.parse.parse_qs(body).items()}
        if asked.get("client_id") != "kubernetes":
            self.answer({"error": "invalid_client"}, 401)
        elif asked["grant_type"] == "refresh_token" and asked["refresh_token"] == "a+refresh/token=":
            self.answer({"id_token": sys.argv[1], "refresh_token": "another"})
        else:
            self.answer({"error": "invalid_grant", "error_description": "the token \x1b[31mexpired"}, 400)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("id.crt", "id.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// The certificates of the provider, and another CA.
const CERTIFICATES: &str = "
for ca in ca other; do
  openssl req -x509 -newkey rsa:2048 -nodes -keyout $ca.key -subj /CN=$ca -days 900 -out $ca.crt
done
openssl req -new -newkey rsa:2048 -nodes -keyout id.key -subj /CN=id -out id.csr
printf subjectAltName=IP:127.0.0.1 > id.ext
openssl x509 -req -in id.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 900 -extfile id.ext -out id.crt
";

/// A program that ends with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The provider, and its port.
fn provider(folder: &Path, token: &str) -> (Running, String) {
    let provider = Command::new("python3")
        .args(["-c", PROVIDER, token])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut provider = Running(provider);
    let mut port = String::new();
    let out = provider.0.stdout.take().expect("its output");
    BufReader::new(out).read_line(&mut port).expect("a port");
    (provider, port.trim().to_owned())
}

/// A JSON Web Token that ends then.
fn token(end: i64) -> String {
    let payload = URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{end}}}"));
    let head = URL_SAFE_NO_PAD.encode("{\"alg\":\"none\"}");
    format!("{head}.{payload}.sig")
}

/// `check` with a kubeconfig whose user has these fields.
fn check(folder: &Path, server: &Refusing, fields: &str, trusted: &str) -> Output {
    let kubeconfig = folder.join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{{name: x, context: {{cluster: x, user: x}}}}]\n\
         clusters: [{{name: x, cluster: {{server: 'http://{}'}}}}]\n\
         users: [{{name: x, user: {{auth-provider: {{name: oidc, config: {{{fields}}}}}}}}}]\n",
        server.address
    );
    std::fs::write(&kubeconfig, text).expect("a file");
    ngf_tui()
        .args(["check", "--kubeconfig"])
        .arg(&kubeconfig)
        .env("SSL_CERT_FILE", folder.join(trusted))
        .output()
        .expect("ngf-tui runs")
}

#[test]
fn an_oidc_token_that_has_ended_is_renewed_by_the_refresh_token() {
    if !has_peer("python3") || !has_peer("openssl") {
        return;
    }
    let (ended, renewed) = (token(1_000_000_000), token(253_000_000_000));
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let made = Command::new("sh")
        .args(["-ec", CERTIFICATES])
        .current_dir(folder)
        .output();
    assert!(made.expect("sh runs").status.success());
    let (_provider, port) = provider(folder, &renewed);
    let server = Refusing::start(Duration::ZERO);
    let issuer = format!("idp-issuer-url: 'https://127.0.0.1:{port}', client-id: kubernetes");
    let good = "refresh-token: 'a+refresh/token='";
    let file = |name: &str| {
        let path = folder.join(name);
        format!("idp-certificate-authority: '{}'", path.display())
    };
    let data = |name: &str| {
        let pem = std::fs::read(folder.join(name)).expect("a certificate");
        format!("idp-certificate-authority-data: {}", STANDARD.encode(pem))
    };
    let old = format!("id-token: '{ended}'");
    for (fields, trusted, refused) in [
        // The system's CAs.
        (format!("{issuer}, {good}, {old}"), "ca.crt", None),
        // Its own CA.
        (
            format!("{issuer}, {good}, {old}, {}", file("ca.crt")),
            "other.crt",
            None,
        ),
        (
            format!("{issuer}, {good}, {old}, {}", data("ca.crt")),
            "other.crt",
            None,
        ),
        // The data win over the file.
        (
            format!(
                "{issuer}, {good}, {old}, {}, {}",
                file("other.crt"),
                data("ca.crt")
            ),
            "other.crt",
            None,
        ),
        // A refresh token alone.
        (format!("{issuer}, {good}"), "ca.crt", None),
        // What its own CA did not sign is refused, whatever the system trusts.
        (
            format!("{issuer}, {good}, {old}, {}", file("other.crt")),
            "ca.crt",
            Some("cannot be reached"),
        ),
        (
            format!("{issuer}, {good}, {old}, {}", file("missing.crt")),
            "ca.crt",
            Some("missing.crt cannot be read"),
        ),
        (
            format!("{issuer}, refresh-token: another-one, {old}"),
            "ca.crt",
            Some(
                "rejects the refresh token (400 Bad Request: invalid_grant, the token [31mexpired): log in again",
            ),
        ),
    ] {
        let before = server.heads().len();
        let output = check(folder, &server, &fields, trusted);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{fields}: {error}");
        for secret in [ended.as_str(), &renewed, "a+refresh/token=", "another-one"] {
            assert!(
                !error.contains(secret) && !error.contains('\u{1b}'),
                "{error}"
            );
        }
        let heads = server.heads();
        let heads = &heads[before..];
        match refused {
            None => {
                let line = format!("authorization: bearer {}", renewed.to_lowercase());
                let has_it = heads.iter().any(|head| head.contains(&line));
                assert!(has_it, "{fields}: {heads:?} {error}");
            }
            Some(why) => {
                assert!(heads.is_empty(), "{fields}: {heads:?}");
                let begins = "no credentials for the context \"x\"";
                assert!(
                    error.contains(begins) && error.contains(why),
                    "{fields}: {error}"
                );
            }
        }
    }
}
