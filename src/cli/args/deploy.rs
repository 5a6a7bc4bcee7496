//! Arguments of a check that runs inside a cluster: parts of a sweep, and where a report is stored.

use ngf_core::model::clean::clean_line;

/// One part of a sweep: `3/8` is the fourth of eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    of: u64,
}

impl Shard {
    /// `INDEX/COUNT`, the index from 0, as `JOB_COMPLETION_INDEX` of an Indexed Job.
    ///
    /// # Errors
    /// A sentence, for what is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(index, of)| {
            let (index, of) = (index.parse().ok()?, of.parse().ok()?);
            (index < of && of <= 10_000).then_some(Self { index, of })
        });
        parsed.ok_or_else(|| {
            format!(
                "invalid part {:?}: expected INDEX/COUNT with the index from 0, such as 0/8",
                clean_line(text)
            )
        })
    }

    /// Whether a name belongs to this part (FNV-1a, which is the same for every build of the program, mixed as in MurmurHash3).
    pub fn holds(self, name: &str) -> bool {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // Names that differ in their last digits alone would fall together otherwise.
        let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (mixed ^ (mixed >> 33)) % self.of == self.index
    }
}

/// Where a report is stored: `configmap/NAME` or `configmap/NAMESPACE/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The namespace; that of the context where it is left out.
    pub namespace: Option<String>,
    /// The ConfigMap.
    pub name: String,
}

impl Store {
    /// Reads it.
    ///
    /// # Errors
    /// A sentence, for what is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "invalid place {:?}: expected configmap/NAME or configmap/NAMESPACE/NAME",
                clean_line(text)
            )
        };
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts[..] {
            [kind, name] => (kind, None, name),
            [kind, namespace, name] => (kind, Some(namespace), name),
            _ => return Err(wrong()),
        };
        let is_name = |name: &str| {
            let allowed =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
            !name.is_empty() && name.len() <= 253 && name.chars().all(allowed)
        };
        let is_kind = matches!(kind, "configmap" | "configmaps" | "cm");
        if !is_kind || !is_name(name) || !namespace.is_none_or(is_name) {
            return Err(wrong());
        }
        Ok(Self {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_sweep_hold_each_route_once() {
        for of in [1, 3, 8] {
            let parts: Vec<Shard> = (0..of)
                .map(|index| Shard::parse(&format!("{index}/{of}")).expect("a part"))
                .collect();
            let mut sizes = vec![0; parts.len()];
            for number in 0..1_000 {
                let name = format!("HTTPRoute team-{}/route-{number}", number % 7);
                let holders: Vec<usize> = (0..parts.len())
                    .filter(|&part| parts[part].holds(&name))
                    .collect();
                assert_eq!(holders.len(), 1, "{name} of {of} parts: {holders:?}");
                sizes[holders[0]] += 1;
            }
            let fair = 1_000 / parts.len();
            assert!(
                sizes.iter().all(|size| (fair / 2..fair * 2).contains(size)),
                "{sizes:?}"
            );
        }
    }

    #[test]
    fn what_is_no_part_and_no_place_is_said() {
        for text in ["", "8/8", "1", "-1/4", "1/0", "0/10001", "a/b"] {
            let why = Shard::parse(text).expect_err(text);
            assert!(why.contains("INDEX/COUNT"), "{why}");
        }
        for text in [
            "",
            "secret/x",
            "configmap/",
            "configmap/a/b/c",
            "configmap/A",
            "configmap/a b",
        ] {
            let why = Store::parse(text).expect_err(text);
            assert!(why.contains("configmap/NAME"), "{why}");
        }
        let store = Store::parse("configmap/ngf-tui/report").expect("a place");
        assert_eq!(
            (store.namespace.as_deref(), &*store.name),
            (Some("ngf-tui"), "report")
        );
    }
}
