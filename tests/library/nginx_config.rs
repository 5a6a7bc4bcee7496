//! What is read of `nginx -T`, and what is not.

use ngf_core::nginx_config::NginxConfig;

const CONFIGURATION: &str = r#"
# configuration file /etc/nginx/nginx.conf:
load_module modules/ngx_stream_module.so;
http {
  include /etc/nginx/conf.d/*.conf;
  log_format json escape=json '{"a": "$remote_addr;{}"}';
}
# configuration file /etc/nginx/conf.d/http.conf:
proxy_ssl_certificate /etc/nginx/secrets/pair.pem;
proxy_ssl_certificate_key data:TOP-SECRET-KEY;
app_protect_cookie_seed TOP-SECRET-SEED;
oidc_provider one { client_id x; client_secret "TOP-SECRET-OIDC"; }
map $request_uri $path { "~^(?P<path>[^?]*)(\?.*)?$"  $path; }
server {
  server_name shop.example.com *.shop.example.com;
  location = /a {
    proxy_set_header Authorization "Bearer TOP-SECRET-TOKEN";
    proxy_ssl_name "shop.example.com";
    proxy_pass https://user:TOP-SECRET-PASSWORD@shop_cart_443$request_uri;
  }
  location / { grpc_pass grpcs://shop_rpc_443; grpc_ssl_verify on; }
}
upstream shop_cart_443 { zone z 512k; server 10.0.0.1:443; server [fd00::1]:443 max_fails=1; }
upstream shop_plus_443 { state /var/lib/nginx/state/x.conf; }
# configuration file /etc/nginx/stream-conf.d/stream.conf:
server { listen 443; proxy_pass $dest; proxy_ssl on; }
"#;

fn parse(text: &str) -> Result<NginxConfig, String> {
    NginxConfig::parse(text.as_bytes(), b"")
}

#[test]
fn upstreams_and_locations_with_what_they_inherit() {
    let rendered = parse(CONFIGURATION).expect("a configuration");
    let servers = |name: &str| rendered.upstreams[name].clone();
    assert_eq!(
        servers("shop_cart_443"),
        Some(vec!["10.0.0.1:443".to_owned(), "[fd00::1]:443".to_owned()])
    );
    assert_eq!(servers("shop_plus_443"), None);
    let locations: Vec<(&str, &str, Vec<String>)> = rendered
        .locations
        .iter()
        .map(|location| {
            let tls = location.tls.iter().map(ToString::to_string).collect();
            (location.path.as_str(), location.pass.as_str(), tls)
        })
        .collect();
    let pair = "proxy_ssl_certificate /etc/nginx/secrets/pair.pem;".to_owned();
    let key = "proxy_ssl_certificate_key data:…;".to_owned();
    let own = |text: &str| vec![pair.clone(), key.clone(), text.to_owned()];
    assert_eq!(
        locations,
        [
            (
                "= /a",
                "https://shop_cart_443",
                own("proxy_ssl_name shop.example.com;")
            ),
            ("/", "grpcs://shop_rpc_443", own("grpc_ssl_verify on;")),
            ("", "$dest", own("proxy_ssl on;")),
        ]
    );
    assert_eq!(
        rendered.locations[0].server_names,
        ["shop.example.com", "*.shop.example.com"]
    );
}

#[test]
fn no_secret_of_the_configuration_is_kept() {
    let rendered = parse(CONFIGURATION).expect("a configuration");
    let all = format!(
        "{rendered:?} {}",
        serde_json::to_string(&rendered).expect("JSON")
    );
    assert!(CONFIGURATION.matches("TOP-SECRET").count() >= 5);
    assert!(!all.contains("TOP-SECRET"), "{all}");
}

#[test]
fn files_with_what_stands_in_them() {
    let files = b"FILE 1764000000 cert_bundle_shop_ca.crt\njunk\nFILE 0 empty.pem\n";
    let rendered = NginxConfig::parse(b"", files).expect("nothing is a configuration");
    let file = rendered
        .file("/etc/nginx/secrets/cert_bundle_shop_ca.crt")
        .expect("a file");
    assert_eq!(file.written, "2025-11-24T16:00:00Z".parse().ok());
    assert!(file.fingerprints.is_empty());
    let empty = rendered
        .file("/etc/nginx/secrets/empty.pem")
        .expect("a file");
    assert_eq!(empty.written, None);
}

#[test]
fn what_is_no_configuration_is_said_in_a_sentence() {
    for (text, expected) in [
        ("server {", "nginx's configuration ends within a block"),
        ("}", "nginx's configuration closes a block that is not open"),
        ("a \"b", "nginx's configuration ends within quotes"),
        (
            &*"a {".repeat(1_000),
            "nginx's configuration has blocks too deep",
        ),
    ] {
        assert_eq!(parse(text), Err(expected.to_owned()));
    }
}

#[test]
fn any_bytes_end_in_an_answer() {
    for at in 0..CONFIGURATION.len() {
        let mut bytes = CONFIGURATION.as_bytes().to_vec();
        bytes[at] = [b'{', b'}', b'"', b'\\', b';', 0xff, 0, b'#'][at % 8];
        if let Ok(rendered) = NginxConfig::parse(&bytes, &bytes) {
            let control = format!("{rendered:?}").chars().any(char::is_control);
            assert!(!control);
        }
    }
}
