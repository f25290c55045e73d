//! Named link presets, each number with its source. Plain text: `scenario` reads it, `longwire profiles` prints it.

use std::fmt::Write as _;

/// All presets, as one YAML text.
pub const TEXT: &str = include_str!("presets.yaml");

/// One preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name, as in `profile: wifi-poor`.
    pub name: &'static str,
    /// What it stands for, in one line.
    pub title: &'static str,
    /// Its text, as it stands in [`TEXT`].
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

/// All presets: every line that starts with a letter or digit begins one, and a comment at the margin ends it.
pub fn all() -> impl Iterator<Item = Preset> {
    let lines = std::iter::once(0).chain(TEXT.match_indices('\n').map(|(at, _)| at + 1));
    let margins: Vec<usize> = lines.filter(|at| TEXT[*at..].starts_with(|c: char| !c.is_whitespace())).collect();
    let ends: Vec<usize> = margins.iter().skip(1).copied().chain([TEXT.len()]).collect();
    let blocks = margins.into_iter().zip(ends).map(|(start, end)| TEXT[start..end].trim_end());
    blocks.filter(|block| !block.starts_with('#')).map(|text| {
        let name = text.split(':').next().unwrap_or(text);
        let title = text.lines().find_map(|line| line.strip_prefix("  title: ")).unwrap_or("");
        Preset { name, title, text }
    })
}

/// All presets, one a line.
pub fn list() -> String {
    let width = names().iter().map(|name| name.len()).max().unwrap_or(0);
    all().map(|preset| format!("{:width$}  {}\n", preset.name, preset.title)).collect()
}

impl Preset {
    /// Where the numbers of each field are from.
    pub fn sources(&self) -> Vec<(&'static str, String)> {
        let mut sources: Vec<(&'static str, String)> = Vec::new();
        for line in self.part("source") {
            match line.trim_start().split_once(": ") {
                Some((field, text)) if !line.starts_with("      ") => sources.push((field, text.to_owned())),
                _ => {
                    if let Some((_, text)) = sources.last_mut() {
                        text.push(' ');
                        text.push_str(line.trim());
                    }
                }
            }
        }
        sources
    }

    /// Fields of both directions, one a line.
    pub fn link(&self) -> impl Iterator<Item = &'static str> {
        self.part("link").map(str::trim)
    }

    /// Fields of the direction toward the end that downloads, as a map.
    pub fn down(&self) -> Option<&'static str> {
        self.text.lines().find_map(|line| line.strip_prefix("  down: "))
    }

    /// Fields of the direction from the end that downloads, as a map.
    pub fn up(&self) -> Option<&'static str> {
        self.text.lines().find_map(|line| line.strip_prefix("  up: "))
    }

    /// A scenario whose link has the preset's values written out: YAML to start from. Where the directions differ, the end
    /// that downloads is `user`.
    pub fn scenario(&self) -> String {
        let mut text = format!("# {}: {}.\n#\n", self.name, self.title);
        for (field, source) in self.sources() {
            comment(&mut text, &format!("{field}: {source}"));
        }
        text.push_str(
            "longwire: 1\nnodes: { user: host, network: host }\nlinks:\n  access:\n    ends: [user, network]\n",
        );
        for field in self.link() {
            let _ = writeln!(text, "    {field}");
        }
        if let (Some(down), Some(up)) = (self.down(), self.up()) {
            let _ = write!(text, "    toward:\n      user: {down}\n      network: {up}\n");
        }
        text
    }

    /// The lines below one of its keys.
    fn part(&self, key: &str) -> impl Iterator<Item = &'static str> {
        let start = format!("  {key}:");
        let below = self.text.lines().skip_while(move |line| *line != start).skip(1);
        below.take_while(|line| line.starts_with("    "))
    }
}

/// Appends a comment of lines of up to 100 characters, those after the first indented.
fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split(' ') {
        if line.len() + 1 + word.len() > 100 {
            let _ = writeln!(text, "{line}");
            line = String::from("#  ");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields that a preset sets: the keys of `link`, and those of the maps `down` and `up`, whose depth is 1.
    fn fields(preset: &Preset) -> Vec<String> {
        let mut fields: Vec<String> =
            preset.link().filter_map(|line| line.split_once(':').map(|(key, _)| key.to_owned())).collect();
        for map in [preset.down(), preset.up()].into_iter().flatten() {
            let (mut depth, mut word) = (0, String::new());
            for c in map.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ':' if depth == 1 => fields.push(word.trim().to_owned()),
                    ',' => word.clear(),
                    c => word.push(c),
                }
                if c == '{' || c == '}' {
                    word.clear();
                }
            }
        }
        fields.sort();
        fields.dedup();
        fields
    }

    #[test]
    fn names_lead_to_presets() {
        for name in
            ["lan", "wifi-poor", "lte", "dsl", "2g", "5g", "chrome-slow-3g", "wpt-cable", "apple-lte", "atc-dsl"]
        {
            assert_eq!(get(name).map(|preset| preset.name), Some(name));
        }
        assert_eq!(get("la"), None);
        let mut names = names();
        assert!(
            names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().count(), "a name stands twice");
    }

    #[test]
    fn every_field_has_a_source_and_every_source_a_field() {
        for preset in all() {
            let sources = preset.sources();
            let mut sourced: Vec<_> = sources.iter().map(|(field, _)| (*field).to_owned()).collect();
            sourced.sort();
            assert_eq!(sourced, fields(&preset), "{}", preset.name);
            for (field, source) in &sources {
                assert!(source.ends_with('.') && source.len() > 8, "{}: {field}: {source}", preset.name);
                let says = ["One way", "one way", "RTT"].iter().any(|words| source.contains(words));
                assert!(*field != "delay" || says, "{}: is `{source}` an RTT or one way?", preset.name);
            }
            assert!(!preset.title.is_empty() && preset.title.len() < 90, "{}", preset.name);
            assert_eq!(preset.down().is_some(), preset.up().is_some(), "{}: one side alone", preset.name);
        }
    }

    /// Half of what the source says, wherever it gives a round trip.
    #[test]
    fn round_trips_are_halved() {
        let mut halved = 0;
        for preset in all() {
            let Some((_, source)) = preset.sources().into_iter().find(|(field, _)| *field == "delay") else { continue };
            let Some((_, rest)) = source.split_once("RTT of ").filter(|_| source.contains("half of it each way"))
            else {
                continue;
            };
            let rtt: f64 = rest.split(' ').next().and_then(|number| number.parse().ok()).expect("a number of ms");
            let delay = preset.link().find(|line| line.starts_with("delay: ")).expect("it is the same both ways");
            let number: String = delay.chars().skip_while(|c| !c.is_ascii_digit()).take_while(|c| *c != 'm').collect();
            assert!((number.parse::<f64>().expect("ms") * 2.0 - rtt).abs() < 1e-9, "{}: {rtt} {delay}", preset.name);
            halved += 1;
        }
        assert!(halved > 20, "{halved}");
    }

    #[test]
    fn the_list_has_a_line_for_each() {
        insta::assert_snapshot!(list());
    }

    #[test]
    fn a_preset_is_printed_as_a_scenario_with_its_sources() {
        insta::assert_snapshot!(get("apple-edge").expect("it is there").scenario());
        insta::assert_snapshot!(get("transatlantic").expect("it is there").scenario());
    }
}
