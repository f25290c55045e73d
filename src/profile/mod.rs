//! Named link presets, each number with its source. Plain text: `scenario` reads it, `longwire profiles` prints it.

/// All presets, as one YAML text.
pub const TEXT: &str = include_str!("presets.yaml");

/// One preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name, as in `profile: wifi-poor`.
    pub name: &'static str,
    /// What it stands for, in one line.
    pub title: &'static str,
    /// Its text, comments included: YAML to start one's own from.
    pub text: &'static str,
}

/// The names of all presets, in the order of the file.
pub fn names() -> Vec<&'static str> {
    all().map(|preset| preset.name).collect()
}

/// The preset of a name.
pub fn get(name: &str) -> Option<Preset> {
    all().find(|preset| preset.name == name)
}

/// All presets: every line that starts with a letter begins one.
pub fn all() -> impl Iterator<Item = Preset> {
    let starts: Vec<usize> = std::iter::once(0)
        .chain(TEXT.match_indices('\n').map(|(at, _)| at + 1))
        .filter(|at| TEXT[*at..].starts_with(|c: char| c.is_ascii_lowercase()))
        .collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([TEXT.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| {
        let text = &TEXT[start..end];
        let name = text.split(':').next().unwrap_or(text);
        let title = text.lines().find_map(|line| line.strip_prefix("  title: ")).unwrap_or("");
        Preset { name, title, text: text.trim_end() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_have_names_titles_and_sources() {
        assert_eq!(
            names(),
            ["lan", "wifi-good", "wifi-average", "wifi-poor", "lte", "dsl", "transatlantic", "satellite-geo"]
        );
        for preset in all() {
            assert!(!preset.title.is_empty(), "{}", preset.name);
            assert!(preset.text.contains("  source: "), "{} does not say where its numbers are from", preset.name);
            assert!(preset.text.starts_with(&format!("{}:\n", preset.name)));
        }
        assert_eq!(get("lan").map(|preset| preset.name), Some("lan"));
        assert_eq!(get("la"), None);
    }
}
