//! Impairments of a share of the frames. They differ in what they do to a frame that was picked; the share itself, its
//! correlation, its frames and how a scenario writes all that are the same.

use std::fmt::Debug;

use super::chain::{Correlation, Picker};
use super::chance::Chance;
use super::only::Only;
use crate::frame::{Frame, FramePool};
use crate::rng::FrameRng;

/// Which share of which frames is picked.
#[derive(Clone, Copy, Debug)]
pub struct Share<'a> {
    /// The probability for each frame.
    pub probability: Chance,
    /// How much a pick says of the next.
    pub correlation: Correlation,
    /// Which frames it applies to; all where nothing is said.
    pub only: Option<&'a Only>,
}

/// How an impairment is asked for: what `share_of_frames!` writes.
pub trait Asked {
    /// The frames that it picks.
    fn share(&self) -> Share<'_>;

    /// What it has beside those: name and value.
    fn parameters(&self) -> Vec<(&'static str, u64)>;

    /// Whether it never picks a frame.
    fn is_none(&self) -> bool {
        self.share().probability.is_never()
    }
}

/// An impairment of a share of the frames.
pub trait Impairment: Asked + Debug {
    /// The first `gap` − 1 frames after a picked one are no candidates; 1 where all are.
    fn gap(&self) -> u32 {
        1
    }

    /// What picks the frames.
    fn picker(&self) -> Picker {
        let Share { probability, correlation, .. } = self.share();
        Picker::spaced(probability.0, correlation, self.gap())
    }

    /// What is asked for beside the share, in a few words, where it is not the default.
    fn words(&self) -> Option<String> {
        None
    }

    /// Does it to a frame that was picked. `rng` is the frame's own generator, behind the word that picked it.
    fn apply(&self, rng: FrameRng, passing: &mut Passing, pool: &mut FramePool);
}

/// A wire frame on its way through impairments, and what they have done to it so far.
#[derive(Debug)]
pub struct Passing {
    /// The frame.
    pub frame: Frame,
    /// Bits of it flipped.
    pub corrupted: bool,
    /// It arrives once more.
    pub copy: Option<Frame>,
    /// It runs ahead of the delay.
    pub ahead: bool,
    /// Its connection is reset: the segment as it was, as one wire frame. It goes no further.
    pub reset: Option<Box<[u8]>>,
}

impl Passing {
    /// A frame that nothing has been done to.
    pub fn new(frame: Frame) -> Passing {
        Passing { frame, corrupted: false, copy: None, ahead: false, reset: None }
    }

    /// Whether it must not join a run of its train.
    pub fn is_alone(&self) -> bool {
        self.corrupted || self.copy.is_some() || self.ahead
    }
}

/// Declares how an impairment of a share of the frames is asked for: its spec with a short form and a map, both ways between
/// text and spec, and its schema. `$title` names it in the schema, `$of` and `$example` stand in the message for what is
/// neither. Fields of its own have a default, and attributes for reading and schema.
macro_rules! share_of_frames {
    (
        $(#[$doc:meta])* $Spec:ident, $title:literal, $description:literal, $of:literal, $example:literal
        $(, $(#[$text:meta])+ $field:ident: $Type:ty = $default:literal { $(#[$attribute:meta])+ })*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $Spec {
            /// The probability for each frame.
            pub probability: Chance,
            /// How much a pick says of the next.
            pub correlation: Correlation,
            $($(#[$text])+ pub $field: $Type,)*
            /// Which frames it applies to; all where nothing is said.
            pub only: Option<Only>,
        }

        const _: () = {
            use schemars::JsonSchema;
            use serde::ser::SerializeMap as _;
            use serde::{Deserialize, Serialize, Serializer};

            use crate::model::{chance, form, share};

            /// The map form, as it stands in a file.
            #[derive(Deserialize, JsonSchema)]
            #[serde(deny_unknown_fields)]
            #[schemars(inline)]
            pub struct Long {
                /// The probability for each frame.
                probability: Chance,
                /// The correlation between a frame and the next, below 100 %. By default none: each frame by itself.
                #[serde(default)]
                correlation: Correlation,
                $($(#[$text])+ $(#[$attribute])+ $field: $Type,)*
                /// Which frames it applies to. By default all.
                #[serde(default)]
                only: Option<Only>,
            }

            impl $Spec {
                /// Each frame by itself.
                pub fn independent(probability: Chance, $($field: $Type),*) -> $Spec {
                    $Spec { probability, correlation: Correlation::NONE, $($field,)* only: None }
                }
            }

            impl Default for $Spec {
                fn default() -> $Spec {
                    $Spec::independent(Chance::default(), $($default),*)
                }
            }

            impl share::Asked for $Spec {
                fn share(&self) -> share::Share<'_> {
                    let $Spec { probability, correlation, .. } = *self;
                    share::Share { probability, correlation, only: self.only.as_ref() }
                }

                fn parameters(&self) -> Vec<(&'static str, u64)> {
                    vec![$((stringify!($field), u64::from(self.$field))),*]
                }
            }

            impl From<Long> for $Spec {
                fn from(long: Long) -> $Spec {
                    let Long { probability, correlation, $($field,)* only } = long;
                    $Spec { probability, correlation, $($field,)* only }
                }
            }

            form::forms! {
                $Spec, $title: $description, concat!(
                    "a probability of ", $of, ", as in `", $example, "`, or a map with `probability`, `correlation`",
                    $(", `", stringify!($field), "`",)* " and `only`, or `none`"
                );
                words { "none" => $Spec::default() }
                text { "$ref": "#/$defs/Chance" } => |text| {
                    chance::from_text(text).map(|probability| $Spec::independent(probability, $($default),*))
                };
                map Long => |long| Ok($Spec::from(long));
            }

            /// As the short form wherever that says all.
            impl Serialize for $Spec {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    let own: &[&str] = &[$(stringify!($field)),*];
                    if own.is_empty() && self.correlation.is_none() && self.only.is_none() {
                        return self.probability.serialize(serializer);
                    }
                    let mut map = serializer.serialize_map(None)?;
                    map.serialize_entry("probability", &self.probability)?;
                    if !self.correlation.is_none() {
                        map.serialize_entry("correlation", &self.correlation)?;
                    }
                    $(map.serialize_entry(stringify!($field), &self.$field)?;)*
                    if let Some(only) = &self.only {
                        map.serialize_entry("only", only)?;
                    }
                    map.end()
                }
            }

        };
    };
}
pub(super) use share_of_frames;
