//! What the tests read of a Markdown page: its code blocks, links and headings.

/// A fenced block of code.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// The line of its fence, from 1.
    pub(super) line: usize,
    pub(super) language: String,
    pub(super) lines: Vec<String>,
    /// The comments right before it: `<!-- exit: 1 -->` is `exit: 1`.
    pub(super) directives: Vec<String>,
}

impl Block {
    /// The value of a directive.
    pub(super) fn directive(&self, name: &str) -> Option<&str> {
        let mut values = self.directives.iter().filter_map(|directive| {
            let (key, value) = directive.split_once(':').unwrap_or((directive, ""));
            (key == name).then_some(value.trim())
        });
        values.next()
    }
}

/// The blocks of a page, and its text without them.
pub(super) fn parse(text: &str) -> (Vec<Block>, String) {
    let mut blocks: Vec<Block> = Vec::new();
    let mut prose = String::new();
    let mut directives = Vec::new();
    let mut open: Option<(Block, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if let Some((block, within)) = &mut open {
            if trimmed == "```" {
                blocks.push(block.clone());
                open = None;
            } else {
                let begin = (*within).min(indent);
                block.lines.push(line[begin..].to_owned());
            }
            continue;
        }
        if let Some(language) = trimmed.strip_prefix("```") {
            let block = Block {
                line: number + 1,
                language: language.to_owned(),
                lines: Vec::new(),
                directives: std::mem::take(&mut directives),
            };
            open = Some((block, indent));
            continue;
        }
        match trimmed
            .strip_prefix("<!-- ")
            .and_then(|rest| rest.strip_suffix(" -->"))
        {
            Some(comment) => directives.push(comment.to_owned()),
            None if !trimmed.is_empty() => directives.clear(),
            None => {}
        }
        prose.push_str(line);
        prose.push('\n');
    }
    assert!(open.is_none(), "a block of code has no end");
    (blocks, prose)
}

/// Targets of links and pictures: `[text](target)`.
pub(super) fn links(prose: &str) -> Vec<String> {
    let mut found = Vec::new();
    let without_code: String = prose
        .split('`')
        .enumerate()
        .filter_map(|(index, part)| (index % 2 == 0).then_some(part))
        .collect();
    for (at, _) in without_code.match_indices("](") {
        let rest = &without_code[at + 2..];
        if let Some(end) = rest.find(')') {
            found.push(rest[..end].to_owned());
        }
    }
    found
}

/// The anchors of a page's headings, as GitHub and mdBook make them.
pub(super) fn anchors(text: &str) -> Vec<String> {
    let (_, prose) = parse(text);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            });
            kept.collect()
        })
        .collect()
}
