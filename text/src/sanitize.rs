//! What comes from a cluster or a peer, made safe to show: no control characters, no overrides of
//! the direction of writing, no invisible characters, bounded length.

/// One line of at most `max_chars` characters. Line breaks and tabs become a space; other control
/// characters (C0, DEL, C1), bidirectional overrides and zero-width characters are left out. What
/// was cut off is marked by `…`, which counts as one of `max_chars`.
pub fn line(text: &str, max_chars: usize) -> String {
    strip(text, max_chars, false)
}

/// As [`line()`], but line feeds stay (carriage returns go), for bodies and log excerpts.
pub fn block(text: &str, max_chars: usize) -> String {
    strip(text, max_chars, true)
}

/// [`line()`] for bytes that may not be UTF-8; what is not becomes U+FFFD.
pub fn bytes(text: &[u8], max_chars: usize) -> String {
    // Four bytes are the most that one character takes: what lies behind cannot be shown.
    let bound = max_chars
        .saturating_mul(4)
        .saturating_add(4)
        .min(text.len());
    let mut out = line(&String::from_utf8_lossy(&text[..bound]), max_chars);
    if bound < text.len() && !out.ends_with('…') && max_chars > 0 {
        if out.chars().count() == max_chars {
            out.pop();
        }
        out.push('…');
    }
    out
}

fn strip(text: &str, max_chars: usize, keep_line_feeds: bool) -> String {
    let mut out = String::with_capacity(text.len().min(max_chars.saturating_mul(4)));
    let mut kept = 0;
    for character in text.chars() {
        let Some(character) = visible(character, keep_line_feeds) else {
            continue;
        };
        if kept == max_chars {
            if out.pop().is_some() {
                out.push('…');
            }
            break;
        }
        out.push(character);
        kept += 1;
    }
    out
}

fn visible(character: char, keep_line_feeds: bool) -> Option<char> {
    match character {
        '\n' if keep_line_feeds => Some('\n'),
        '\r' if keep_line_feeds => None,
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        _ if is_hidden(character) => None,
        _ => Some(character),
    }
}

/// Whether a character must never reach a terminal: C0 and C1 controls and DEL; bidirectional marks,
/// embeddings, overrides and isolates (Unicode UAX #9); line and paragraph separators; and what a terminal
/// shows as nothing: soft hyphen, zero-width characters, interlinear annotations, tags, the byte order mark.
/// The zero-width joiner is among them; a widget that draws emoji may let it pass.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_overrides_are_left_out() {
        for (given, expected) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m", "[31mred[0m"),
            ("a\u{9b}31mb", "a31mb"),
            ("del\u{7f}", "del"),
            ("a\tb\nc\r", "a b c "),
            ("user\u{202e}txt.exe", "usertxt.exe"),
            ("zero\u{200b}width\u{feff}", "zerowidth"),
            ("nul\0nul", "nulnul"),
            ("Grüße, 日本", "Grüße, 日本"),
        ] {
            assert_eq!(line(given, 100), expected);
        }
    }

    #[test]
    fn length_is_bounded_and_the_cut_is_marked() {
        assert_eq!(line("abcdef", 6), "abcdef");
        assert_eq!(line("abcdefg", 6), "abcde…");
        assert_eq!(line("abc", 0), "");
        assert_eq!(bytes(&[b'a'; 100], 5), "aaaa…");
        assert_eq!(bytes(b"a\xffb", 5), "a\u{fffd}b");
        assert_eq!(block("a\r\nb\u{1b}c\n", 100), "a\nbc\n");
    }
}
