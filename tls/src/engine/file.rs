//! Text in memory, read as nginx reads a file.

use std::borrow::Cow;

/// Bytes as OpenSSL's reader of files hands them on, which is `fgets` and `strlen`: a line is cut at
/// its first NUL, and one that begins with a NUL is the end. NGINX reads files; the probe has them
/// in memory, where a NUL is a byte like another.
pub(super) fn as_a_file(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&0) {
        return Cow::Borrowed(text);
    }
    let mut read = Vec::new();
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        // `PEM_read_bio` asks for no more than so many bytes of a line at a time.
        for part in line.chunks(254) {
            match part.iter().position(|&byte| byte == 0) {
                None => read.extend_from_slice(part),
                Some(0) => return Cow::Owned(read),
                Some(end) => {
                    read.extend_from_slice(&part[..end]);
                    read.push(b'\n');
                }
            }
        }
    }
    Cow::Owned(read)
}
