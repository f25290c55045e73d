//! `capture:`: which links leave a file of what went through them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diag::{Diagnostics, Span, suggestion};
use crate::language::spanned::Spanned;
use crate::model::form::forms;
use crate::topology::expand::{GroupKind, Groups};
use crate::units::ByteSize;

/// The longest file of a link, unless the scenario says.
const SIZE: ByteSize = ByteSize::from_bytes(64 << 20);
/// The shortest that may be asked for: what stands at its beginning and end, and some frames.
const LEAST_SIZE: ByteSize = ByteSize::from_bytes(64 << 10);
/// The fewest bytes of each frame that may be asked for: an Ethernet header.
const LEAST_SNAP: ByteSize = ByteSize::from_bytes(14);
/// The most links: each has an open file.
const MOST: usize = 256;

/// When the files are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Whatever the run comes to.
    #[default]
    Always,
    /// Unless the run passes, or nothing was asked of it and nothing failed.
    OnFail,
}

/// What is captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Capture {
    /// The links: positions in `Plan::links`, each once, in their order.
    pub links: Vec<usize>,
    /// When the files are kept.
    pub keep: Keep,
    /// The longest file of a link.
    pub size: ByteSize,
    /// How many bytes of each frame are kept; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snap: Option<ByteSize>,
}

/// `capture:` as it stands in a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CaptureSpec {
    links: Wanted,
    keep: Keep,
    size: Option<ByteSize>,
    snap: Option<ByteSize>,
}

/// Links, by name.
#[derive(Clone, Debug, Default, PartialEq)]
enum Wanted {
    #[default]
    None,
    All,
    Names(Vec<Spanned<String>>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CaptureMap")]
struct Form {
    /// Links and groups of links by name, or `all`.
    links: Wanted,
    /// `always`, or `on-fail`: unless the run passes. By default always.
    #[serde(default)]
    keep: Keep,
    /// The longest file of a link, 64KiB or more: the oldest frames are kept. By default 64MiB.
    #[serde(default)]
    size: Option<ByteSize>,
    /// How many bytes of each frame are kept, 14B or more. By default all.
    #[serde(default)]
    snap: Option<ByteSize>,
}

forms! {
    Wanted, "CapturedLinks", "links by name, as in `[wifi, lan]`, or `all`";
    text { "type": "string" } => |text| Ok(Wanted::from_word(text));
    list Vec<Spanned<String>> => |names| Ok(Wanted::Names(names));
}

impl Wanted {
    fn from_word(text: &str) -> Wanted {
        match text {
            "all" => Wanted::All,
            "none" => Wanted::None,
            name => Wanted::Names(vec![Spanned { value: name.to_owned(), span: Span::default() }]),
        }
    }
}

impl From<Wanted> for CaptureSpec {
    fn from(links: Wanted) -> CaptureSpec {
        CaptureSpec { links, ..CaptureSpec::default() }
    }
}

impl TryFrom<Form> for CaptureSpec {
    type Error = String;
    fn try_from(Form { links, keep, size, snap }: Form) -> Result<CaptureSpec, String> {
        for (what, value, least) in [("size", size, LEAST_SIZE), ("snap", snap, LEAST_SNAP)] {
            if let Some(value) = value.filter(|value| *value < least) {
                return Err(format!("a `{what}` of {value} is too small: at least {least}"));
            }
        }
        Ok(CaptureSpec { links, keep, size, snap })
    }
}

forms! {
    CaptureSpec, "Capture", "links by name, as in `[wifi, lan]`, `all`, `none`, or a map with `links`,";
    text { "type": "string" } => |text| Ok(Wanted::from_word(text).into());
    list Vec<Spanned<String>> => |names| Ok(Wanted::Names(names).into());
    map Form => CaptureSpec::try_from;
}

/// The names that captures may be asked for by.
#[derive(Clone, Copy)]
pub(crate) struct Links<'a> {
    /// All links, in the order of `Plan::links`.
    pub(crate) names: &'a [&'a str],
    /// Names that stand for several.
    pub(crate) groups: &'a Groups,
    /// Links that could not be read: nothing is told of them.
    pub(crate) unread: &'a [&'a str],
}

impl CaptureSpec {
    /// Finds the links. `None` where none is wanted.
    pub(crate) fn resolve(&self, span: Span, links: Links<'_>, diagnostics: &mut Diagnostics) -> Option<Capture> {
        let mut wanted = vec![false; links.names.len()];
        match &self.links {
            Wanted::None => {}
            Wanted::All => wanted.fill(true),
            Wanted::Names(names) => {
                for name in names {
                    let place = if name.span == Span::default() { span } else { name.span };
                    links.find(name, place, &mut wanted, diagnostics);
                }
            }
        }
        let found: Vec<usize> = (0..wanted.len()).filter(|link| wanted[*link]).collect();
        if found.len() > MOST {
            diagnostics
                .error(span, format!("{} links are too many to capture", found.len()))
                .help(format!("name those that you want to look at, at most {MOST}"));
        }
        let capture = Capture { links: found, keep: self.keep, size: self.size.unwrap_or(SIZE), snap: self.snap };
        (!capture.links.is_empty()).then_some(capture)
    }
}

impl Links<'_> {
    fn find(&self, name: &str, place: Span, wanted: &mut [bool], diagnostics: &mut Diagnostics) {
        let position = |name: &str| self.names.iter().position(|link| *link == name);
        if let Some(link) = position(name) {
            wanted[link] = true;
        } else if let Some(group) = self.groups.get(name) {
            if group.kind != GroupKind::Links {
                diagnostics
                    .error(place, format!("`{name}` is a group, but not one of links"))
                    .help("captures are of links: name those that you want to look at");
            }
            group.members.iter().filter_map(|member| position(member)).for_each(|link| wanted[link] = true);
        } else if !self.unread.contains(&name) {
            let groups = self.groups.iter().filter(|(_, group)| group.kind == GroupKind::Links).map(|(name, _)| name);
            let known: Vec<&str> = self.names.iter().copied().chain(groups).collect();
            diagnostics.error(place, format!("there is no link `{name}` to capture")).help(suggestion(name, known));
        }
    }
}

impl Capture {
    /// What a command line asks for, as `wifi,lan` or `all`, over what the scenario says: links from there, all else from
    /// here.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn asked(text: &str, resolved: &super::resolved::Resolved) -> Result<Capture, String> {
        let names: Vec<&str> = resolved.links.iter().map(|link| link.name.as_str()).collect();
        let list = || text.split(',').map(|name| Spanned { value: name.trim().to_owned(), span: Span::default() });
        let wanted = if text == "all" { Wanted::All } else { Wanted::Names(list().collect()) };
        let links = Links { names: &names, groups: &resolved.scenario.groups, unread: &[] };
        let mut diagnostics = Diagnostics::default();
        let spec = CaptureSpec { links: wanted, ..CaptureSpec::default() };
        let found = spec.resolve(Span::default(), links, &mut diagnostics);
        if let Some(error) = diagnostics.iter().next() {
            return Err(error.to_string());
        }
        let found = found.ok_or("the scenario has no links to capture")?;
        Ok(match &resolved.scenario.capture {
            Some(capture) => Capture { links: found.links, ..capture.clone() },
            None => found,
        })
    }

    /// The spec as it is shown, with the names of its links.
    pub(crate) fn words<'a>(&self, name: impl Fn(usize) -> &'a str) -> String {
        let names: Vec<&str> = self.links.iter().map(|link| name(*link)).collect();
        let keep = if self.keep == Keep::Always { "always" } else { "on-fail" };
        let snap = self.snap.map(|snap| format!(", snap: {snap}")).unwrap_or_default();
        format!("{{ links: [{}], keep: {keep}, size: {}{snap} }}", names.join(", "), self.size)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, listing, load};
    use crate::tasks::resolved::Resolved;

    fn read(capture: &str) -> Result<Resolved, Vec<String>> {
        let text = format!(
            "longwire: 1\nduration: 1s\nnodes: {{ a: {{ host: {{ count: 3 }} }}, s: switch, b: host }}\nlinks:\n  \
             access: {{ ends: [a, s] }}\n  wifi: {{ ends: [b, s] }}\ncapture: {capture}\n"
        );
        load(Path::new("t"), &MemoryFiles::one("t", &text), &Overrides::default())
            .map_err(|(told, _)| told.iter().map(ToString::to_string).collect())
    }

    fn links(capture: &str) -> Vec<usize> {
        read(capture).unwrap().scenario.capture.map(|capture| capture.links).unwrap_or_default()
    }

    #[test]
    fn links_and_groups_by_name_or_all() {
        assert_eq!(links("[wifi]"), [3]);
        assert_eq!(links("wifi"), [3]);
        assert_eq!(links("[wifi, access-2, wifi]"), [1, 3]);
        assert_eq!(links("access"), [0, 1, 2]);
        assert_eq!(links("all"), [0, 1, 2, 3]);
        assert_eq!(links("{ links: all }"), [0, 1, 2, 3]);
        assert_eq!(links("none"), [0usize; 0]);
        assert_eq!(links("[]"), [0usize; 0]);
    }

    #[test]
    fn a_map_says_what_is_kept() {
        let resolved = read("{ links: [wifi], keep: on-fail, size: 1MB, snap: 96B }").unwrap();
        let capture = resolved.scenario.capture.clone().unwrap();
        let sizes = (ByteSize::from_bytes(1_000_000), Some(ByteSize::from_bytes(96)));
        assert_eq!((capture.keep, capture.size, capture.snap), (Keep::OnFail, sizes.0, sizes.1));
        let shown = listing(&resolved);
        assert!(shown.contains("\ncapture: { links: [wifi], keep: on-fail, size: 1MB, snap: 96B }"), "{shown}");
        let short = read("[wifi]").unwrap().scenario.capture.unwrap();
        assert_eq!((short.keep, short.size, short.snap), (Keep::Always, SIZE, None));
        // the command line names other links
        let asked = Capture::asked("access-1, wifi", &resolved).unwrap();
        assert_eq!(asked, Capture { links: vec![0, 3], ..capture });
        assert_eq!(Capture::asked("all", &read("none").unwrap()).unwrap().links.len(), 4);
        assert!(Capture::asked("wfi", &resolved).unwrap_err().contains("did you mean `wifi`?"));
    }

    #[test]
    fn mistakes_have_places() {
        let told = |capture: &str| read(capture).unwrap_err().concat();
        assert!(told("[wifi, wfi]").starts_with("7:17: there is no link `wfi` to capture (did you mean `wifi`?)"));
        assert!(told("wfi").starts_with("7:10: there is no link `wfi`"));
        assert!(told("{ links: [a] }").contains("`a` is a group, but not one of links"));
        assert!(told("{ links: [wifi], size: 1kB }").contains("a `size` of 1kB is too small: at least 64KiB"));
        assert!(told("{ links: [wifi], snap: 5B }").contains("at least 14B"));
        assert!(told("{ links: [wifi], keep: never }").contains("never"));
        assert!(told("{ keep: always }").contains("links"));
        assert!(told("{ links: [wifi], kep: always }").contains("kep"));
    }
}
