//! What is judged: a unit or one of its components, and what is told of it.
//!
//! Invariant: what nobody told is open, never no; a list that is told is whole,
//! so what does not stand in it does not hold.

use crate::date::PartialDate;
use crate::facts::Band;
use crate::pack::{Country, DateOf, Level, Segment};
use model::{Attribution, ComponentClass};
use std::collections::BTreeSet;

/// A unit or one of its components, as identified.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Index of the component; `None` is the unit itself.
    pub component: Option<String>,
    /// Class of the component, if it told one.
    pub class: Option<ComponentClass>,
    /// What people call it; from the device, so bounded before it is quoted.
    pub label: String,
    /// Who built it, if that is known.
    pub maker: Option<Attribution>,
    /// Whose name is on it, if that is known.
    pub brand: Option<Attribution>,
    /// Day this very part was acquired, if that is known; what replaced another has a day of its own.
    pub acquired: Option<PartialDate>,
    /// What else is told of it.
    pub told: Told,
}

impl Part {
    /// A unit of which nothing is known.
    #[must_use]
    pub fn nobody() -> Self {
        Self {
            component: None,
            class: None,
            label: String::new(),
            maker: None,
            brand: None,
            acquired: None,
            told: Told::default(),
        }
    }
}

/// Facts about one part that no device tells; open where nobody told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// The part of the network, where it is none of the roles an element can have.
    pub segment: Option<Segment>,
    /// Whether it is to be put in, or there already.
    pub presence: Option<Presence>,
    /// Day it was made; decides to which group its maker belonged.
    pub made: Option<PartialDate>,
    /// Day it was put in.
    pub installed: Option<PartialDate>,
    /// Day its model was authorised.
    pub authorised: Option<PartialDate>,
    /// The supplier's share of the population a cap is about.
    pub share: Option<Share>,
    /// The approval asked about.
    pub approval: Option<Approval>,
    /// Approvals on file, each with the rule it was given under.
    pub approvals: Vec<(String, Approval)>,
    /// Shares on file, each with the rule whose cap it is about.
    pub shares: Vec<(String, Share)>,
    /// Model, version and area, as approvals name them.
    pub identity: Identity,
    /// How deep in the bill of materials it was found.
    pub depth: Option<Depth>,
    /// What it is: `software`, `consumer_grade_router`, …
    pub kind: Option<String>,
    /// The radio band it serves.
    pub band: Option<Band>,
    /// Its data rate in Gbit/s.
    pub data_rate_gbps: Option<f64>,
    /// Where it was made, designed or developed.
    pub production_country: Option<Country>,
    /// What is told about its site, without `site:` in front.
    pub site_tags: Option<BTreeSet<String>>,
}

impl Told {
    /// A day in its life; the day it was acquired stands in the part.
    pub(crate) fn day(&self, of: DateOf, acquired: Option<PartialDate>) -> Option<PartialDate> {
        match of {
            DateOf::Made => self.made,
            DateOf::Acquired => acquired,
            DateOf::Installed => self.installed,
            DateOf::Authorised => self.authorised,
        }
    }
}

/// To come, or there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// To be bought or put in.
    New,
    /// In use.
    Installed,
    /// Asked about without saying which.
    Untold,
}

/// A share as an interval, in per cent: unknown makers widen it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// At least.
    pub low: f64,
    /// At most.
    pub high: f64,
}

/// What an approval may name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The operator it was given to.
    pub operator: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The version of its software.
    pub version: Option<String>,
    /// The area it stands in.
    pub area: Option<String>,
}

/// An approval on file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approval {
    /// Its last day, if it has one.
    pub until: Option<PartialDate>,
    /// What it is limited to.
    pub only: Identity,
}

/// How deep in a bill of materials something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The product as bought.
    Whole,
    /// A board, module or optic.
    Board,
    /// A chip.
    Chip,
    /// Software inside a product.
    Software,
    /// What a rule calls this level.
    Named(Level),
}
