//! Lines of nginx's logs.

use jiff::Timestamp;

use crate::logs::Log;

/// Writes a line of the error log; `connection` is the number that nginx gives to each.
pub(crate) fn error(log: &Log, level: &str, connection: Option<u64>, message: &str) {
    let time = Timestamp::now().strftime("%Y/%m/%d %H:%M:%S");
    let connection = connection.map(|n| format!("*{n} ")).unwrap_or_default();
    log.write(format!("{time} [{level}] 29#29: {connection}{message}"));
}

/// `$time_local`.
pub(crate) fn time_local() -> String {
    let time = Timestamp::now();
    time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

/// nginx's default escaping of variables in logs. Texts have one char for each byte where they come
/// from a request line, and UTF-8 where they come from elsewhere.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let hex = |byte: u8, escaped: &mut String| {
        escaped.push_str("\\x");
        for digit in [byte >> 4, byte & 15] {
            escaped.extend(char::from_digit(digit.into(), 16).map(|d| d.to_ascii_uppercase()));
        }
    };
    for c in text.chars() {
        match (c, u8::try_from(c)) {
            ('"' | '\\', Ok(byte)) => hex(byte, &mut escaped),
            (' '..='~', _) => escaped.push(c),
            (_, Ok(byte)) => hex(byte, &mut escaped),
            (c, Err(_)) => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    hex(byte, &mut escaped);
                }
            }
        }
    }
    escaped
}
