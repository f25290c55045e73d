//! Impairments: one a file. Each file holds the scenario's form of it (serde and JSON Schema), its meaning, its code and
//! its tests. Time comes in as an argument; randomness comes in as the frame's own generator.
//!
//! A new impairment of a share of the frames is one file here, and one line in the list of [`Impairments`]: the engine, the
//! report and `set` take it from there.

pub mod chain;
pub mod chance;
pub mod corrupt;
pub mod delay;
pub mod duplicate;
pub mod form;
pub mod loss;
pub mod mtu;
pub mod only;
pub mod over_time;
pub mod rate;
pub mod reorder;
pub mod reset;
pub mod share;
#[cfg(test)]
pub(crate) mod statistics;
pub mod table;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use chain::Correlation;
pub use chance::Chance;
pub use corrupt::CorruptSpec;
pub use delay::{Delay, DelaySpec, Distribution, Order};
pub use duplicate::DuplicateSpec;
pub use loss::{LossModel, LossRule, LossSpec};
pub use only::Only;
pub use rate::{Framing, RateSpec};
pub use reorder::ReorderSpec;
pub use reset::ResetSpec;
pub use share::{Asked, Impairment, Passing};

macro_rules! impairments {
    ($($(#[$doc:meta])+ $name:ident: $Spec:ident,)+) => {
        /// What a direction does to shares of its frames, in the order in which a frame meets it, behind loss.
        #[derive(Clone, Debug, Default, PartialEq, Serialize)]
        pub struct Impairments {
            $($(#[$doc])+ #[serde(skip_serializing_if = "Asked::is_none")] pub $name: $Spec,)+
        }

        /// What changes of [`Impairments`]; what is `None` stays as it is.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct ImpairmentChanges {
            $($(#[$doc])+ #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<$Spec>,)+
        }

        impl Impairments {
            /// Their keys in a scenario, which name their random streams too.
            pub const NAMES: [&'static str; [$(stringify!($name)),+].len()] = [$(stringify!($name)),+];

            /// All of them, those that pick no frame included.
            pub fn each(&self) -> [&dyn Impairment; Impairments::NAMES.len()] {
                [$(&self.$name),+]
            }

            /// What must change to get to `new` from here.
            pub fn difference(&self, new: &Impairments) -> ImpairmentChanges {
                ImpairmentChanges { $($name: (self.$name != new.$name).then(|| new.$name.clone()),)+ }
            }

            /// Puts a change on top.
            pub fn change(&mut self, change: &ImpairmentChanges) {
                $(if let Some(new) = &change.$name {
                    self.$name.clone_from(new);
                })+
            }
        }
    };
}

impairments! {
    /// TCP segments in place of which both ends get a reset.
    reset: ResetSpec,
    /// Bits that flip on the wire.
    corrupt: CorruptSpec,
    /// Frames that arrive twice.
    duplicate: DuplicateSpec,
    /// Frames that run ahead of the delay.
    reorder: ReorderSpec,
}

impl Impairments {
    /// Those that may pick a frame, by name.
    pub fn active(&self) -> impl Iterator<Item = (&'static str, &dyn Impairment)> {
        Impairments::NAMES.into_iter().zip(self.each()).filter(|(_, impairment)| !impairment.is_none())
    }
}
