//! Which approvals and shares on file are meant for a thing: those asked about, those of the
//! operator's files, and those declared by tag.
//!
//! Invariant: an approval limited to something counts only for what is told to be that thing.

use crate::date::PartialDate;
use crate::pack::Rule;
use crate::part::{Approval, Identity, Part, Share};
use model::Place;

/// What is on file for one rule and one thing.
#[derive(Clone, Copy)]
pub(crate) struct OnFile<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) place: &'a Place,
    pub(crate) part: &'a Part,
}

impl<'a> OnFile<'a> {
    /// Whether there is an approval meant for this thing; `None` where that cannot be told.
    pub(crate) fn is_meant(self) -> Option<bool> {
        let answers: Vec<Option<bool>> = self.approvals().map(|a| self.meant(a)).collect();
        if answers.contains(&Some(true)) || !self.tagged().is_empty() {
            Some(true)
        } else if answers.contains(&None) {
            None
        } else {
            Some(false)
        }
    }

    /// Whether there is none at all, not even for something else.
    pub(crate) fn is_empty(self) -> bool {
        self.approvals().next().is_none() && self.tagged().is_empty()
    }

    /// Ends of the approvals meant for this thing; no end for one without.
    pub(crate) fn ends(self) -> Vec<Option<PartialDate>> {
        let meant = self.approvals().filter(|a| self.meant(a) == Some(true));
        meant.map(|a| a.until).chain(self.tagged()).collect()
    }

    /// The share asked about, else the one on file for this rule; of several the widest reading.
    pub(crate) fn share(self) -> Option<Share> {
        let told = &self.part.told;
        let on_file = told.shares.iter().filter(|(rule, _)| *rule == self.rule.id);
        let widest = on_file.map(|(_, share)| *share).reduce(|a, b| Share {
            low: a.low.min(b.low),
            high: a.high.max(b.high),
        });
        told.share.or(widest)
    }

    fn approvals(self) -> impl Iterator<Item = &'a Approval> {
        let (told, id) = (&self.part.told, self.rule.id.as_str());
        let on_file = told.approvals.iter().filter(move |(rule, _)| rule == id);
        told.approval.iter().chain(on_file.map(|(_, approval)| approval))
    }

    fn meant(self, approval: &Approval) -> Option<bool> {
        let (only, is): (&Identity, &Identity) = (&approval.only, &self.part.told.identity);
        let pairs = [
            (&only.operator, &is.operator),
            (&only.model, &is.model),
            (&only.version, &is.version),
            (&only.area, &is.area),
        ];
        let mut meant = Some(true);
        for (wanted, have) in pairs
            .into_iter()
            .filter_map(|(only, is)| Some((only.as_ref()?, is)))
        {
            match have {
                Some(have) if have == wanted => {}
                Some(_) => return Some(false),
                None => meant = None,
            }
        }
        meant
    }

    /// Ends of the approvals declared by tag; no end for one without.
    fn tagged(self) -> Vec<Option<PartialDate>> {
        let of_rule = |tag: &String| {
            let rest = tag
                .strip_prefix("approved:")?
                .strip_prefix(self.rule.id.as_str())?;
            match rest.strip_prefix(':') {
                None => rest.is_empty().then_some(None),
                Some(end) => end.parse().ok().map(Some),
            }
        };
        self.place.tags.iter().filter_map(of_rule).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::Told;
    use crate::policies::Policies;

    fn limited(model: Option<&str>, until: Option<&str>) -> Approval {
        Approval {
            until: until.map(|until| until.parse().unwrap()),
            only: Identity {
                model: model.map(str::to_owned),
                ..Identity::default()
            },
        }
    }

    /// What is on file for a thing of this model: meant, none at all, ends.
    fn on_file(
        model: Option<&str>,
        approvals: &[(&str, Approval)],
        tag: Option<&str>,
    ) -> (Option<bool>, bool, Vec<String>) {
        let policies = Policies::built_in().unwrap();
        let mut place = Place::nowhere();
        place.tags.extend(tag.map(str::to_owned));
        let part = Part {
            component: None,
            class: None,
            label: String::new(),
            maker: None,
            brand: None,
            acquired: None,
            told: Told {
                identity: limited(model, None).only,
                approvals: approvals
                    .iter()
                    .map(|(rule, approval)| ((*rule).to_owned(), approval.clone()))
                    .collect(),
                shares: vec![
                    (
                        "IN-NSDTS".into(),
                        Share {
                            low: 10.0,
                            high: 20.0,
                        },
                    ),
                    (
                        "IN-NSDTS".into(),
                        Share {
                            low: 15.0,
                            high: 30.0,
                        },
                    ),
                    (
                        "GB-DVD-FTTP-CAP".into(),
                        Share {
                            low: 90.0,
                            high: 95.0,
                        },
                    ),
                ],
                ..Told::default()
            },
        };
        let file = OnFile {
            rule: policies.rule("IN-NSDTS").unwrap(),
            place: &place,
            part: &part,
        };
        assert_eq!(
            file.share(),
            Some(Share {
                low: 10.0,
                high: 30.0
            }),
            "the widest reading"
        );
        let ends = file.ends().into_iter();
        let ends = ends.map(|end| end.map_or("none".to_owned(), |end| end.to_string()));
        (file.is_meant(), file.is_empty(), ends.collect())
    }

    #[test]
    fn an_approval_counts_for_what_it_names() {
        let own = [("IN-NSDTS", limited(Some("C650"), Some("2030-06")))];
        let free = [("IN-NSDTS", limited(None, None))];
        let foreign = [("GB-CCTV-2022", limited(None, None))];
        let ends = |ends: &[&str]| ends.iter().map(|&end| end.to_owned()).collect::<Vec<_>>();
        for (model, approvals, tag, expected) in [
            (
                Some("C650"),
                &own[..],
                None,
                (Some(true), false, ends(&["2030-06"])),
            ),
            (Some("C300"), &own, None, (Some(false), false, ends(&[]))),
            (None, &own, None, (None, false, ends(&[]))),
            (None, &free, None, (Some(true), false, ends(&["none"]))),
            (None, &foreign, None, (Some(false), true, ends(&[]))),
            (
                Some("C300"),
                &own,
                Some("approved:IN-NSDTS:2027"),
                (Some(true), false, ends(&["2027"])),
            ),
        ] {
            assert_eq!(on_file(model, approvals, tag), expected, "{model:?} {tag:?}");
        }
    }
}
