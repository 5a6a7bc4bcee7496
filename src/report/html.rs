//! `-o html`: one page for a ticket. Everything is in it: no scripts, no fonts and no images from elsewhere, and it asks no
//! server for anything. It is readable on a phone, light and dark, and redacted like a bundle.

mod check;
mod probe;

use std::fmt::Write;

use jiff::Timestamp;
use ngf_text::credentials::redact;

use super::clean;

pub use check::{check, comparison, write_check};
pub use probe::probes;

const STYLE: &str = include_str!("html/style.css");

/// Text for an element or attribute: redacted, cleaned and escaped.
fn text(value: &str) -> String {
    escaped(&clean(&redact(value)))
}

/// The same of several lines.
fn lines(value: &str) -> String {
    let value = redact(value);
    let all: Vec<String> = value.lines().map(|line| escaped(&clean(line))).collect();
    all.join("\n")
}

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A whole page.
fn page(title: &str, at: Timestamp, body: &str) -> String {
    format!("{}{body}{END}", head(title, at))
}

/// What follows a page's sections.
const END: &str = "</main>\n</body>\n</html>\n";

/// What comes before a page's sections.
fn head(title: &str, at: Timestamp) -> String {
    let title = text(title);
    let at = at.strftime("%Y-%m-%d %H:%M:%S UTC");
    let version = env!("CARGO_PKG_VERSION");
    // Whatever stands in the page, a browser runs and loads nothing.
    let policy = "default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;";
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
         </head>\n<body>\n<header>\n<h1>{title}</h1>\n<p>ngf-tui {version} · {at}</p>\n</header>\n<main>\n"
    )
}

/// A section with a heading; nothing where it has no content.
fn section(out: &mut dyn Write, heading: &str, content: &str) {
    if !content.is_empty() {
        let _ = write!(
            out,
            "<section>\n<h2>{}</h2>\n{content}</section>\n",
            text(heading)
        );
    }
}

/// A list of sentences.
fn list(sentences: &[String]) -> String {
    if sentences.is_empty() {
        return String::new();
    }
    let items = sentences
        .iter()
        .map(|line| format!("<li>{}</li>\n", text(line)));
    format!("<ul>\n{}</ul>\n", items.collect::<String>())
}

/// Rows under headings, in a box that scrolls by itself on a narrow screen. The cells are escaped already.
fn table<const N: usize>(headings: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut out = "<div class=\"wide\"><table>\n<tr>".to_owned();
    for heading in headings {
        let _ = write!(out, "<th>{}</th>", text(heading));
    }
    out.push_str("</tr>\n");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            let _ = write!(out, "<td>{cell}</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup_and_no_credential_is_shown() {
        for (value, expected) in [
            (
                "<script>alert('x')</script>",
                "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;",
            ),
            ("a\u{1b}[31mb", "a\u{fffd}[31mb"),
            ("Bearer abc.def", "Bearer (redacted)"),
            ("a & \"b\"", "a &amp; &quot;b&quot;"),
        ] {
            assert_eq!(text(value), expected);
        }
        assert_eq!(lines("a\n<b>"), "a\n&lt;b&gt;");
    }

    #[test]
    fn a_page_loads_nothing() {
        let page = page("t", Timestamp::UNIX_EPOCH, "");
        for word in [
            "<script", "src=", "@import", "url(", "<link", "<img", "http:",
        ] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
