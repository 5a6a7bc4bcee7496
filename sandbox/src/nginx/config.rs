//! The part of nginx's configuration language that the guide's secure-app and the scenarios use, so
//! that a pod does what its ConfigMaps say. Directives that are not known here are passed over.

use std::collections::BTreeMap;

use ngf_core::nginx_config::{OpenQuotes, Token, Tokens, unescaped_as_nginx};
use thiserror::Error;
use zeroize::Zeroizing;

/// Files of a container, by path: what its volumes mount.
pub(crate) type Files = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// Where nginx looks first.
pub(crate) const MAIN: &str = "/etc/nginx/nginx.conf";
/// How deep `include` and blocks may nest.
const MAX_DEPTH: usize = 8;

/// Why nginx would not start, in the words of its `[emerg]` line.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{message} in {file}:{line}")]
pub(crate) struct ConfigError {
    message: String,
    file: String,
    line: usize,
}

/// `ssl_verify_client`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verify {
    Off,
    On,
    Optional,
    OptionalNoCa,
}

/// One `server` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// `listen` ports on IPv4, each with whether it speaks TLS.
    pub listen: Vec<(u16, bool)>,
    /// `server_name`, lower case.
    pub names: Vec<String>,
    /// `ssl_certificate`.
    pub certificate: Option<String>,
    /// `ssl_certificate_key`.
    pub key: Option<String>,
    /// `ssl_client_certificate`.
    pub client_ca: Option<String>,
    /// `ssl_verify_client`.
    pub verify: Verify,
    /// `ssl_verify_depth`.
    pub depth: u32,
    /// `ssl_protocols`; nginx's default since 1.27.3 is TLS 1.2 and 1.3.
    pub protocols: Vec<String>,
    /// `ssl_reject_handshake on`.
    pub reject: bool,
    /// `default_type`.
    pub default_type: String,
    /// The format of `access_log`, or `None` where logging is off.
    pub log_format: Option<String>,
    /// `return CODE "text"` of the server or of its `location /`.
    pub answer: Option<(u16, String)>,
}

/// nginx's predefined format.
const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" \
    $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            names: Vec::new(),
            certificate: None,
            key: None,
            client_ca: None,
            verify: Verify::Off,
            depth: 1,
            protocols: vec!["TLSv1.2".into(), "TLSv1.3".into()],
            reject: false,
            default_type: "text/plain".into(),
            log_format: Some(COMBINED.into()),
            answer: None,
        }
    }
}

struct Directive {
    words: Vec<String>,
    block: Option<Vec<Directive>>,
    file: String,
    line: usize,
}

impl Directive {
    fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    fn argument(&self) -> &str {
        self.words.get(1).map_or("", String::as_str)
    }

    fn error(&self, message: String) -> ConfigError {
        ConfigError {
            message,
            file: self.file.clone(),
            line: self.line,
        }
    }
}

/// The server blocks that nginx would run with these files.
pub(crate) fn servers(files: &Files) -> Result<Vec<Server>, ConfigError> {
    let main = parse(files, MAIN, 0)?;
    let mut found = Vec::new();
    for http in main.iter().filter(|d| d.name() == "http") {
        let directives = http.block.as_deref().unwrap_or_default();
        let formats: BTreeMap<_, _> = directives
            .iter()
            .filter(|d| d.name() == "log_format")
            .map(|d| {
                (
                    d.argument().to_owned(),
                    d.words.get(2..).unwrap_or_default().concat(),
                )
            })
            .collect();
        let mut base = Server::default();
        for directive in directives {
            set(&mut base, directive, &formats)?;
        }
        for block in directives.iter().filter(|d| d.name() == "server") {
            let mut server = base.clone();
            for directive in block.block.as_deref().unwrap_or_default() {
                set(&mut server, directive, &formats)?;
            }
            found.push(server);
        }
    }
    Ok(found)
}

/// The files of a configuration in the order in which nginx reads them, each once, as `nginx -T` lists
/// them; an error is nginx's.
pub(crate) fn dump(files: &Files) -> Result<Vec<String>, ConfigError> {
    let mut read = Vec::new();
    follow(files, MAIN, 0, &mut read)?;
    Ok(read)
}

fn follow(
    files: &Files,
    file: &str,
    depth: usize,
    read: &mut Vec<String>,
) -> Result<(), ConfigError> {
    // Its syntax, and that of what it includes.
    parse(files, file, depth)?;
    if read.iter().any(|known| known == file) {
        return Ok(());
    }
    read.push(file.to_owned());
    let Some(bytes) = files.get(file) else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(bytes);
    let tokens = Tokens::new(&text).map_while(Result::ok);
    let tokens: Vec<Token<'_>> = tokens.map(|(token, _)| token).collect();
    for pair in tokens.windows(2) {
        if let [Token::Word("include"), Token::Word(pattern)] = pair {
            for included in matching(files, pattern) {
                follow(files, &included, depth + 1, read)?;
            }
        }
    }
    Ok(())
}

fn set(
    server: &mut Server,
    directive: &Directive,
    formats: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    let argument = directive.argument().to_owned();
    let invalid = || directive.error(format!("invalid value \"{}\"", directive.argument()));
    match directive.name() {
        // IPv6 addresses are passed over: the embedded cluster is single-stack.
        "listen" if argument.starts_with('[') => {}
        "listen" => {
            let port = argument.rsplit(':').next().unwrap_or_default();
            let port = port.parse().map_err(|_| {
                let message = format!("invalid port in \"{argument}\" of the \"listen\" directive");
                directive.error(message)
            })?;
            server
                .listen
                .push((port, directive.words.iter().any(|w| w == "ssl")));
        }
        "server_name" => {
            server.names = directive.words[1..]
                .iter()
                .map(|n| n.to_lowercase())
                .collect();
        }
        "ssl_certificate" => server.certificate = Some(argument),
        "ssl_certificate_key" => server.key = Some(argument),
        "ssl_client_certificate" => server.client_ca = Some(argument),
        "ssl_verify_client" => {
            server.verify = match argument.as_str() {
                "on" => Verify::On,
                "off" => Verify::Off,
                "optional" => Verify::Optional,
                "optional_no_ca" => Verify::OptionalNoCa,
                _ => return Err(invalid()),
            };
        }
        "ssl_verify_depth" => server.depth = argument.parse().map_err(|_| invalid())?,
        "ssl_protocols" => server.protocols = directive.words[1..].to_vec(),
        "ssl_reject_handshake" => server.reject = argument == "on",
        "default_type" => server.default_type = argument,
        "access_log" => {
            let format = directive.words.get(2).map_or("combined", String::as_str);
            server.log_format = match (argument.as_str(), formats.get(format)) {
                ("off", _) => None,
                (_, Some(format)) => Some(format.clone()),
                (_, None) if format == "combined" => Some(COMBINED.into()),
                _ => return Err(directive.error(format!("unknown log format \"{format}\""))),
            };
        }
        "return" => {
            let code = argument
                .parse()
                .map_err(|_| directive.error(format!("invalid return code \"{argument}\"")))?;
            let text = directive.words.get(2).cloned().unwrap_or_default();
            server.answer = Some((code, text));
        }
        "location" => {
            for inner in directive.block.as_deref().unwrap_or_default() {
                if ["return", "default_type"].contains(&inner.name()) {
                    set(server, inner, formats)?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn parse(files: &Files, file: &str, depth: usize) -> Result<Vec<Directive>, ConfigError> {
    let error = |message: String, line| ConfigError {
        message,
        file: file.to_owned(),
        line,
    };
    if depth > MAX_DEPTH {
        return Err(error("include nests too deeply".into(), 1));
    }
    let Some(bytes) = files.get(file) else {
        let message = format!("open() \"{file}\" failed (2: No such file or directory)");
        return Err(error(message, 1));
    };
    let text = String::from_utf8_lossy(bytes);
    let mut stack: Vec<(Directive, Vec<Directive>)> = Vec::new();
    let mut current: Vec<Directive> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let fresh = |words: &mut Vec<String>, line| Directive {
        words: std::mem::take(words),
        block: None,
        file: file.to_owned(),
        line,
    };
    for token in Tokens::new(&text) {
        let (token, line) = token.map_err(|OpenQuotes { line }| {
            error("unexpected end of file, expecting a quote".into(), line)
        })?;
        match token {
            Token::Word(word) => words.push(unescaped_as_nginx(word).into_owned()),
            Token::End if words.is_empty() => {
                return Err(error("unexpected \";\"".into(), line));
            }
            Token::End if words[0] == "include" => {
                let pattern = words.get(1).cloned().unwrap_or_default();
                words.clear();
                for included in matching(files, &pattern) {
                    current.extend(parse(files, &included, depth + 1)?);
                }
            }
            Token::End => current.push(fresh(&mut words, line)),
            Token::Open if words.is_empty() || stack.len() >= MAX_DEPTH => {
                return Err(error("unexpected \"{\"".into(), line));
            }
            Token::Open => {
                stack.push((fresh(&mut words, line), std::mem::take(&mut current)));
            }
            Token::Close => {
                let Some((mut block, outer)) = stack.pop().filter(|_| words.is_empty()) else {
                    return Err(error("unexpected \"}\"".into(), line));
                };
                block.block = Some(std::mem::replace(&mut current, outer));
                current.push(block);
            }
        }
    }
    if !stack.is_empty() || !words.is_empty() {
        let missing = if words.is_empty() { "}" } else { ";\" or \"}" };
        let line = text.lines().count();
        return Err(error(
            format!("unexpected end of file, expecting \"{missing}\""),
            line,
        ));
    }
    Ok(current)
}

/// The files that `include` names; one star in the last part.
fn matching(files: &Files, pattern: &str) -> Vec<String> {
    match pattern.split_once('*') {
        None => vec![pattern.to_owned()],
        Some((before, after)) => files
            .keys()
            .filter(|path| {
                path.strip_prefix(before)
                    .and_then(|rest| rest.strip_suffix(after))
                    .is_some_and(|middle| !middle.contains('/') && !middle.starts_with('.'))
            })
            .cloned()
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(conf: &str) -> Files {
        let main = "http { log_format ssl_log '$remote_addr x=$ssl_client_verify'; include /etc/nginx/conf.d/*.conf; }";
        [(MAIN, main), ("/etc/nginx/conf.d/app.conf", conf)]
            .into_iter()
            .map(|(path, text)| (path.to_owned(), Zeroizing::new(text.as_bytes().to_vec())))
            .collect()
    }

    #[test]
    fn the_guides_configuration_is_understood() {
        let found = servers(&files(
            "server {\n listen 8443 ssl;\n listen [::]:8443 ssl;\n server_name Secure-App.example.com; # name\n \
             ssl_certificate /c/tls.crt;\n ssl_verify_client on;\n access_log /var/log/a ssl_log;\n \
             location / {\n return 200 \"hello from pod secure-app\\n\";\n }\n}",
        ))
        .unwrap();
        let expected = Server {
            listen: vec![(8443, true)],
            names: vec!["secure-app.example.com".into()],
            certificate: Some("/c/tls.crt".into()),
            verify: Verify::On,
            log_format: Some("$remote_addr x=$ssl_client_verify".into()),
            answer: Some((200, "hello from pod secure-app\n".into())),
            ..Server::default()
        };
        assert_eq!(found, vec![expected]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_file_and_line() {
        for (conf, message) in [
            (
                "server {\n listen x;\n}",
                "invalid port in \"x\" of the \"listen\" directive in /etc/nginx/conf.d/app.conf:2",
            ),
            (
                "server {\n",
                "unexpected end of file, expecting \"}\" in /etc/nginx/conf.d/app.conf:1",
            ),
            ("}", "unexpected \"}\" in /etc/nginx/conf.d/app.conf:1"),
            (
                "server { ssl_verify_client yes; }",
                "invalid value \"yes\" in /etc/nginx/conf.d/app.conf:1",
            ),
            (
                "server { return 200 \"x; }",
                "unexpected end of file, expecting a quote in /etc/nginx/conf.d/app.conf:1",
            ),
        ] {
            assert_eq!(servers(&files(conf)).unwrap_err().to_string(), message);
        }
        assert!(
            servers(&Files::new())
                .unwrap_err()
                .to_string()
                .starts_with("open() ")
        );
    }
}
