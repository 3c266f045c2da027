//! The loaded set of packs and affiliations: reading, checking, indexing, versioning.
//!
//! Invariants: a set loads whole or not at all; an error names file, line,
//! column and key and says what to do. The index answers "which rules could
//! speak about this supplier here" without looking at any other rule.

mod text;

pub use text::{PackError, Text};

use crate::affiliation::Affiliations;
use crate::country::{Countries, Stands};
use crate::pack::{Affiliates, Country, Effect, List, Mode, Pack, Rule, Status, Succession, Whose};
use crate::question::Question;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use text::{digest, invalid, invalid_last, parse};

/// File name of the affiliations, beside the packs.
pub const AFFILIATIONS_FILE: &str = "affiliations.toml";

/// File name of the facts about countries, beside the packs.
pub const COUNTRIES_FILE: &str = "countries.toml";

/// From here on a spelling is like another one (Jaro-Winkler, 0 to 1).
const LIKE: f64 = 0.7;

/// Packs and affiliations of one version.
#[derive(Debug, Clone)]
pub struct Policies {
    packs: Vec<Pack>,
    affiliations: Affiliations,
    countries: Countries,
    interprets: bool,
    of_concern: BTreeSet<String>,
    version: String,
    by_code: HashMap<String, usize>,
    by_id: HashMap<String, (usize, usize)>,
    index: Vec<Index>,
}

/// Rules of one pack by what can make them speak.
#[derive(Debug, Clone, Default)]
struct Index {
    by_supplier: HashMap<String, Vec<usize>>,
    any_maker: Vec<usize>,
    names_nobody: Vec<usize>,
}

impl Policies {
    /// The packs that come with the program.
    ///
    /// # Errors
    /// [`PackError`] if a pack was edited and no longer reads.
    pub fn built_in() -> Result<Self, PackError> {
        Self::from_texts(Self::built_in_texts())
    }

    /// From texts under their file names, each draft in place of one of them: the affiliations or the
    /// countries where its name is theirs, else the pack of its jurisdiction.
    ///
    /// # Errors
    /// [`PackError`] naming the draft as it is called, line and key, where one is wrong.
    pub fn with_drafts(mut texts: Vec<Text>, drafts: &[Text]) -> Result<Self, PackError> {
        let mut called = HashMap::new();
        for (name, text) in drafts {
            let own = place_of(name, text);
            texts.retain(|(file, _)| *file != own || called.contains_key(file));
            texts.push((own.clone(), text.clone()));
            called.insert(own, name);
        }
        Self::from_texts(texts).map_err(|error| match error {
            PackError::Invalid {
                file,
                line,
                column,
                key,
                hint,
            } => PackError::Invalid {
                file: called.get(&file).map_or(file, |name| (*name).clone()),
                line,
                column,
                key,
                hint,
            },
            other => other,
        })
    }

    /// The same with every usual reading of a text that names nobody left open.
    #[must_use]
    pub fn without_interpretation(mut self) -> Self {
        self.interprets = false;
        self.version = digest(&[(self.version, "without interpretation".to_owned())]);
        self
    }

    /// File name and text of the packs that come with the program.
    #[must_use]
    pub fn built_in_texts() -> Vec<Text> {
        let own = |&(name, text): &(&str, &str)| (name.to_owned(), text.to_owned());
        crate::built_in::FILES.iter().map(own).collect()
    }

    /// From texts under their file names.
    ///
    /// # Errors
    /// [`PackError`] naming the first file, line and key that is wrong.
    pub fn from_texts(mut texts: Vec<Text>) -> Result<Self, PackError> {
        texts.sort();
        let version = digest(&texts);
        let mut affiliations = None;
        let mut countries = Countries::default();
        let mut packs: Vec<(Text, Pack)> = Vec::new();
        for text in texts {
            if text.0 == AFFILIATIONS_FILE {
                let mut read: Affiliations = parse(&text)?;
                read.connect()
                    .map_err(|(key, hint)| invalid(&text, &key, &key, hint))?;
                affiliations = Some(read);
            } else if text.0 == COUNTRIES_FILE {
                countries = parse(&text)?;
            } else {
                let pack = parse(&text)?;
                packs.push((text, pack));
            }
        }
        let affiliations = affiliations.ok_or_else(|| {
            PackError::Incomplete(format!("{AFFILIATIONS_FILE} is missing beside the packs"))
        })?;
        let mut set = Self {
            packs: Vec::new(),
            affiliations,
            countries,
            interprets: true,
            of_concern: BTreeSet::new(),
            version,
            by_code: HashMap::new(),
            by_id: HashMap::new(),
            index: Vec::new(),
        };
        for (text, pack) in &mut packs {
            set.check(text, pack)?;
            pack.digest = hex::encode(Sha256::digest(&text.1));
            for rule in &mut pack.rules {
                rule.jurisdiction = pack.code.as_str().to_owned();
            }
            set.packs.push(pack.clone());
        }
        set.succeed(&packs)?;
        set.index = set.packs.iter().map(|pack| set.index_of(pack)).collect();
        set.of_concern = set.named_suppliers();
        Ok(set)
    }

    /// Digest over all packs and the affiliations: 16 hexadecimal digits.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The packs, by file name.
    #[must_use]
    pub fn packs(&self) -> &[Pack] {
        &self.packs
    }

    /// The pack of a jurisdiction.
    #[must_use]
    pub fn pack(&self, code: &str) -> Option<&Pack> {
        self.by_code
            .get(code)
            .and_then(|&position| self.packs.get(position))
    }

    /// Companies and edges.
    #[must_use]
    pub fn affiliations(&self) -> &Affiliations {
        &self.affiliations
    }

    /// Facts about countries.
    #[must_use]
    pub fn countries(&self) -> &Countries {
        &self.countries
    }

    /// Whether usual readings of texts that name nobody are taken.
    #[must_use]
    pub fn interprets(&self) -> bool {
        self.interprets
    }

    /// The list a rule refers to, if its pack keeps it.
    #[must_use]
    pub fn list(&self, rule: &Rule) -> Option<&List> {
        let name = rule.matching.list.as_ref()?;
        let pack = self.pack(&rule.jurisdiction)?;
        pack.lists
            .iter()
            .find(|list| list.name == *name)
            .filter(|_| rule.matching.suppliers.is_empty())
    }

    /// Whether a rule has a supplier test under which nobody is known yet, or none at all.
    #[must_use]
    pub fn names_nobody(&self, rule: &Rule) -> bool {
        match rule.matching.mode {
            Mode::NoneNamed => true,
            Mode::Named | Mode::ListReference | Mode::Criteria | Mode::Ownership => {
                rule.matching.suppliers.is_empty() && self.list(rule).is_none()
            }
            _ => false,
        }
    }

    /// Whether some rule of some pack names this supplier or one of its group: powers that name
    /// nobody yet are told of such suppliers only.
    #[must_use]
    pub fn is_of_concern(&self, supplier: &str) -> bool {
        self.of_concern.contains(supplier)
    }

    /// All rules, pack by pack.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.packs.iter().flat_map(|pack| &pack.rules)
    }

    /// The rule of this key.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        let &(pack, rule) = self.by_id.get(id)?;
        self.packs.get(pack)?.rules.get(rule)
    }

    /// The key of a rule that is spelt most like `id`, if any is.
    #[must_use]
    pub fn closest(&self, id: &str) -> Option<&str> {
        let near = |rule: &str| strsim::jaro_winkler(&rule.to_lowercase(), &id.to_lowercase());
        let rules = self.rules().map(|rule| (near(&rule.id), rule.id.as_str()));
        let (likeness, rule) = rules.max_by(|a, b| a.0.total_cmp(&b.0))?;
        (likeness >= LIKE).then_some(rule)
    }

    /// Whether some rule asks for this tag of a place: a misspelt tag would bind nobody in silence.
    #[must_use]
    pub fn knows_tag(&self, tag: &str) -> bool {
        let fact = tag.strip_prefix("not:").unwrap_or(tag);
        match fact.split_once(':') {
            Some(("purpose" | "manages" | "evolves_to" | "band" | "produced_in", rest)) => {
                fact == tag && !rest.is_empty()
            }
            Some(("approved", rest)) => {
                fact == tag && self.rule(rest.split(':').next().unwrap_or_default()).is_some()
            }
            _ => self.rules().any(|rule| {
                let level = rule.thing.level.is_some_and(|level| level.as_str() == fact);
                let need = rule.thing.needs.iter().any(|need| need == fact);
                let product = rule.thing.products.iter().any(|product| product == fact);
                let exempt = rule.exempt.iter().any(|exemption| exemption.tag == fact);
                level || need || product || exempt || rule.bound.tags.iter().any(|bound| bound == fact)
            }),
        }
    }

    /// Which of the jurisdictions bind operators by tags of which `tags` holds none,
    /// neither the tag nor `not:` before it: their rules then bind nobody in silence.
    #[must_use]
    pub fn undeclared(&self, tags: &BTreeSet<String>, jurisdictions: &BTreeSet<String>) -> Vec<String> {
        let told: BTreeSet<&str> = tags
            .iter()
            .map(|tag| tag.strip_prefix("not:").unwrap_or(tag))
            .collect();
        let asks_in_vain = |code: &&String| {
            let rules = self.pack(code).into_iter().flat_map(|pack| &pack.rules);
            let mut asked = rules.flat_map(|rule| &rule.bound.tags).peekable();
            asked.peek().is_some() && !asked.any(|tag| told.contains(tag.as_str()))
        };
        jurisdictions.iter().filter(asks_in_vain).cloned().collect()
    }

    /// Rules of a jurisdiction that could speak about a supplier; where `any_maker` is asked also those that
    /// speak about any, and those that name nobody as far as powers are asked for or they are assumed.
    pub(crate) fn candidates<'a>(
        &'a self,
        code: &str,
        supplier: &str,
        any_maker: bool,
        question: &'a Question<'_>,
    ) -> impl Iterator<Item = &'a Rule> {
        let position = self.by_code.get(code).copied();
        let index = position.and_then(|p| self.index.get(p));
        let rules = position.and_then(|p| self.packs.get(p)).map(|pack| &pack.rules);
        let named = index
            .and_then(|index| index.by_supplier.get(supplier))
            .into_iter()
            .flatten();
        let any = index
            .filter(|_| any_maker)
            .map(|index| &index.any_maker)
            .into_iter()
            .flatten();
        let nobody = index
            .filter(|_| any_maker)
            .map(|index| &index.names_nobody)
            .into_iter()
            .flatten();
        let told = |rule: &&Rule| question.powers || question.assumed(&rule.id).is_some();
        let of = move |&rule: &usize| rules?.get(rule);
        named
            .chain(any)
            .filter_map(of)
            .chain(nobody.filter_map(of).filter(told))
    }

    /// Rules of a jurisdiction whose supplier test a supplier could meet by itself, by a group or by a country.
    pub(crate) fn meaning(&self, code: &str, supplier: &str) -> impl Iterator<Item = &Rule> {
        let position = self.by_code.get(code).copied();
        let rules = position.and_then(|p| self.packs.get(p)).map(|pack| &pack.rules);
        let index = position.and_then(|p| self.index.get(p));
        let named = index.and_then(|index| index.by_supplier.get(supplier));
        named
            .into_iter()
            .flatten()
            .filter_map(move |&rule| rules?.get(rule))
    }

    fn check(&mut self, text: &Text, pack: &Pack) -> Result<(), PackError> {
        let code = pack.code.as_str();
        if text.0 != format!("{}.toml", code.to_lowercase()) {
            return Err(invalid(
                text,
                "code",
                code,
                "the file must bear the code in lower case, e.g. de.toml",
            ));
        }
        let here = self.packs.len();
        if self.by_code.insert(code.to_owned(), here).is_some() {
            return Err(invalid(
                text,
                "code",
                code,
                "another file bears this code; one pack a jurisdiction",
            ));
        }
        let entries = || pack.lists.iter().flat_map(|list| &list.entries);
        if entries().any(|entry| entry.to_announced.is_some() && entry.to.is_none()) {
            let (key, hint) = (
                "to_announced",
                "it says when `to` became known; give that as well",
            );
            return Err(invalid(text, key, key, hint));
        }
        for id in entries().flat_map(|entry| &entry.suppliers) {
            if self.affiliations.company(id).is_none() {
                return Err(invalid(
                    text,
                    id,
                    id,
                    "no supplier of affiliations.toml has this key",
                ));
            }
        }
        for (position, rule) in pack.rules.iter().enumerate() {
            let wrong = |needle: &str, hint: &str| Err(invalid(text, &rule.id, needle, hint));
            if self.by_id.insert(rule.id.clone(), (here, position)).is_some() {
                return Err(invalid_last(
                    text,
                    &rule.id,
                    "this rule key is used twice; keys are unique over all packs",
                ));
            }
            if !rule
                .id
                .strip_prefix(code)
                .is_some_and(|rest| rest.starts_with('-'))
            {
                return wrong(
                    &rule.id,
                    "a rule key begins with the code of its pack, e.g. \"DE-…\"",
                );
            }
            if rule.actions.is_empty() && rule.effect != Effect::None {
                return wrong("actions", "name at least one act, e.g. [\"use\"]");
            }
            if rule.status == Status::Superseded && rule.superseded_by.is_empty() && rule.time.ends.is_none()
            {
                return wrong(
                    "status",
                    "say what replaced it in `superseded_by`, or when it ended in `time.ends`",
                );
            }
            if rule.sources.is_empty() {
                return wrong("sources", "name at least one source with its grade");
            }
            if rule.time.effective.is_none() && rule.time.unknown.is_none() {
                return wrong("time", "give `effective`, or say in `unknown` why there is none");
            }
            if rule.time.ends_announced.is_some() && rule.time.ends.is_none() {
                return wrong(
                    "ends_announced",
                    "it says when `ends` became known; give that as well",
                );
            }
            if rule.time.ends_first.is_some() && rule.time.ends_announced.is_none() {
                return wrong("ends_first", "it held until `ends_announced`; give that as well");
            }
            if (rule.effect == Effect::Cap) != rule.cap.is_some() {
                return wrong("effect", "effect \"cap\" and [rule.cap] belong together");
            }
            if let Some(test) = &rule.matching.fact
                && self.countries.fact(&test.id).is_none()
            {
                return wrong(
                    &test.id,
                    "no fact of countries.toml has this key; add it there or correct it",
                );
            }
            if (rule.matching.mode == Mode::CountryFact) != rule.matching.fact.is_some() {
                return wrong("mode", "mode \"country_fact\" and `fact` belong together");
            }
            if rule.cap.as_ref().is_some_and(|cap| cap.percent > 100) {
                return wrong("percent", "a share is at most 100 per cent");
            }
            if let Some(exemption) = rule.exempt.iter().find(|e| !e.tag.starts_with("exempt:")) {
                return wrong(&exemption.tag, "the tag of an exception begins with \"exempt:\"");
            }
            let lists = [&rule.matching.suppliers, &rule.thing.purpose_suppliers];
            if let Some(id) = lists
                .into_iter()
                .flatten()
                .find(|id| self.affiliations.company(id).is_none())
            {
                return wrong(
                    id,
                    "no supplier of affiliations.toml has this key; add it there or correct it",
                );
            }
        }
        Ok(())
    }

    /// Finds from when on each superseded rule lost to its successors, and since when that was known.
    fn succeed(&mut self, texts: &[(Text, Pack)]) -> Result<(), PackError> {
        let mut found = Vec::new();
        for ((text, _), pack) in texts.iter().zip(&self.packs) {
            for rule in &pack.rules {
                let mut successions = Vec::new();
                for id in &rule.superseded_by {
                    let Some(successor) = self.rule(id) else {
                        return Err(invalid(
                            text,
                            &rule.id,
                            id,
                            "no rule has this key; superseded_by names rules",
                        ));
                    };
                    let time = &successor.time;
                    successions.extend(time.effective.map(|start| Succession {
                        from: start.first(),
                        announced: time.announced.unwrap_or(start),
                    }));
                }
                found.push(successions);
            }
        }
        let rules = self.packs.iter_mut().flat_map(|pack| &mut pack.rules);
        for (rule, successions) in rules.zip(found) {
            rule.successions = successions;
        }
        Ok(())
    }

    fn index_of(&self, pack: &Pack) -> Index {
        let mut index = Index::default();
        for (position, rule) in pack.rules.iter().enumerate() {
            if rule.effect == Effect::None {
                // Only an assumption can make it speak.
                index.names_nobody.push(position);
                continue;
            }
            if self.names_nobody(rule) {
                index.names_nobody.push(position);
                continue;
            }
            if rule.matching.mode.any_maker() {
                index.any_maker.push(position);
                continue;
            }
            let listed: Vec<String> = match (rule.matching.mode, self.list(rule)) {
                (Mode::CountryFact, _) => self.could_meet(rule),
                (_, Some(list)) => list.entries.iter().flat_map(|e| e.suppliers.clone()).collect(),
                _ => rule.matching.suppliers.clone(),
            };
            let of_group = rule
                .matching
                .fact
                .as_ref()
                .is_some_and(|test| test.whose == Whose::Group);
            let affiliates = if of_group {
                Affiliates::Group
            } else {
                rule.matching.affiliates
            };
            let mut met = self.affiliations.reach(&listed, affiliates);
            if let (Mode::CountryOfControl, Some(country)) = (rule.matching.mode, &rule.matching.country) {
                let controlled = self
                    .affiliations
                    .suppliers
                    .iter()
                    .filter(|c| c.control.as_ref() == Some(country));
                met.extend(controlled.map(|company| company.id.clone()));
            }
            for supplier in met {
                index.by_supplier.entry(supplier).or_default().push(position);
            }
        }
        index
    }
}

impl Policies {
    /// Suppliers that a rule with an effect names, with the affiliates it counts.
    fn named_suppliers(&self) -> BTreeSet<String> {
        let effective = self.rules().filter(|rule| rule.effect != Effect::None);
        let reached = effective.flat_map(|rule| {
            let entries = self.list(rule).into_iter().flat_map(|list| &list.entries);
            let listed = entries.flat_map(|entry| entry.suppliers.clone());
            let named: Vec<String> = rule.matching.suppliers.iter().cloned().chain(listed).collect();
            self.affiliations.reach(&named, rule.matching.affiliates)
        });
        reached.collect()
    }

    /// Suppliers whose countries could meet a rule's test of a fact on some day.
    fn could_meet(&self, rule: &Rule) -> Vec<String> {
        let test = rule.matching.fact.as_ref();
        let Some((test, fact)) = test.and_then(|test| Some((test, self.countries.fact(&test.id)?))) else {
            return Vec::new();
        };
        let never = |country: &Country| match fact.countries.iter().find(|told| told.code == *country) {
            Some(told) => test.holds && told.stands == Stands::HoldsNot,
            None => test.holds && fact.nowhere_else,
        };
        let companies = self.affiliations.suppliers.iter();
        let could = companies.filter(|company| {
            let mut countries = [Some(&company.hq), company.control.as_ref()]
                .into_iter()
                .flatten();
            !countries.all(never)
        });
        could.map(|company| company.id.clone()).collect()
    }
}

/// The file a draft takes the place of.
fn place_of(name: &str, text: &str) -> String {
    let file = Path::new(name).file_name().and_then(|file| file.to_str());
    if let Some(shared) = file.filter(|file| [AFFILIATIONS_FILE, COUNTRIES_FILE].contains(file)) {
        return shared.to_owned();
    }
    let table = toml::from_str::<toml::Table>(text).ok();
    let code = table.and_then(|table| table.get("code")?.as_str().map(str::to_lowercase));
    format!("{}.toml", code.unwrap_or_else(|| "draft".to_owned()))
}

#[cfg(test)]
mod tests;
