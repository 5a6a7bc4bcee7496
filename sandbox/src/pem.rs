//! Blocks of PEM texts (RFC 7468).

use zeroize::Zeroizing;

/// The types of the PEM blocks of a text, with the text of each block.
pub(crate) fn blocks(text: &[u8]) -> Vec<(String, Zeroizing<String>)> {
    let mut blocks = Vec::new();
    let mut rest = std::str::from_utf8(text).unwrap_or_default();
    while let Some(start) = rest.find("-----BEGIN ") {
        let block = &rest[start..];
        let Some((kind, _)) = block["-----BEGIN ".len()..].split_once("-----") else {
            break;
        };
        let end = format!("-----END {kind}-----");
        let Some(length) = block.find(&end).map(|at| at + end.len()) else {
            break;
        };
        // One allocation of the right size: no copy of a key is left behind.
        blocks.push((kind.to_owned(), Zeroizing::new(block[..length].to_owned())));
        rest = &block[length..];
    }
    blocks
}
