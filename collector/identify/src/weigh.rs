//! From votes to the answer: who wins, how sure, and what speaks against it.
//!
//! Invariants: losing claims stay, marked; confidence lies in 0 to 1 and falls with every
//! contradiction; snmpEngineID and names in passing, which operators can write, name nobody
//! unless the hardware agrees; without a vote that may name a maker the maker is unknown.

use crate::index::{Index, evidence_of};
use crate::knowledge::{Knowledge, Named, SupplierRole, normalised};
use crate::part::Parts;
use crate::text::ORDINARY;
use crate::unit;
use model::{Aspect, Attribution, Claim, Doubt, EvidenceRef, Identification, Signal, Subject, SupplierRef};
use std::collections::{BTreeMap, BTreeSet};

/// Below this nobody is named.
const LEAST_CONFIDENCE: f64 = 0.25;
/// No evidence over a network makes anything surer than this.
const MOST_CONFIDENCE: f64 = 0.98;
/// How much of a rival's probability is taken off.
const CONTRADICTION: f64 = 0.6;
/// A rival of this probability contradicts the answer; below it is only outweighed.
const CONTRADICTS: f64 = 0.2;
/// The doubt that chassis name several makers.
pub(crate) const SEVERAL_MAKERS: &str = "several_makers";
/// Most others told as outweighed.
const MOST_OUTWEIGHED: usize = 4;

/// How far a vote carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Too little to name anybody, whatever stands beside it.
    Slight,
    /// An operator could have written it: names only beside [`Standing::Hardware`] of another kind.
    Told,
    /// Of the hardware, but maybe of a part: names only beside [`Standing::Told`] of another kind.
    Hardware,
    /// Names the supplier without other evidence.
    Alone,
}

/// One piece of evidence for one supplier of the unit.
#[derive(Debug, Clone)]
pub(crate) struct Vote {
    pub(crate) aspect: Aspect,
    pub(crate) named: Named,
    pub(crate) signal: Signal,
    pub(crate) weight: f64,
    pub(crate) standing: Standing,
    pub(crate) evidence: EvidenceRef,
    pub(crate) knowledge: String,
    pub(crate) source: String,
}

/// What the readers found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) votes: Vec<Vote>,
    pub(crate) doubts: Vec<Doubt>,
    /// Keys of suppliers whose name on this equipment is a label, and the brand it means.
    pub(crate) labels: Vec<(String, SupplierRef)>,
    /// Whether sysObjectID is of software, a kit or a standard, which run on any host.
    pub(crate) generic: bool,
    /// Whether sysObjectID is of a controller soldered to the board it manages.
    pub(crate) controller: bool,
}

impl Findings {
    /// Adds a doubt.
    pub(crate) fn doubt(
        &mut self,
        subject: Subject,
        code: &str,
        text: String,
        evidence: Option<EvidenceRef>,
    ) {
        self.doubts.push(Doubt {
            subject,
            code: code.to_owned(),
            text: text.chars().take(300).collect(),
            evidence,
        });
    }

    /// Takes back votes from `before` on that say what an object said already in its other value.
    pub(crate) fn forget_repeated(&mut self, before: usize) {
        for vote in self.votes.split_off(before.min(self.votes.len())) {
            let said = |known: &Vote| {
                known.evidence.oid == vote.evidence.oid
                    && known.evidence != vote.evidence
                    && known.aspect == vote.aspect
                    && known.named.supplier == vote.named.supplier
            };
            if !self.votes.iter().any(said) {
                self.votes.push(vote);
            }
        }
    }

    /// Adds a doubt about the unit that a row of the knowledge names, once.
    pub(crate) fn known_doubt(&mut self, code: &str, evidence: Option<EvidenceRef>) {
        self.doubt_once(code, meaning(code).to_owned(), evidence);
    }

    /// Adds a doubt about the unit, unless there is one with this code.
    pub(crate) fn doubt_once(&mut self, code: &str, text: String, evidence: Option<EvidenceRef>) {
        if !self.has(code) {
            self.doubt(Subject::Unit, code, text, evidence);
        }
    }

    /// Whether there is a doubt about the unit with this code.
    fn has(&self, code: &str) -> bool {
        let known = |doubt: &Doubt| doubt.subject == Subject::Unit && doubt.code == code;
        self.doubts.iter().any(known)
    }
}

/// The sentence for a doubt that rows of the knowledge carry.
pub(crate) fn meaning(code: &str) -> &'static str {
    match code {
        "generic_enterprise" => {
            "the enterprise number comes with software, a kit or a standard and names no maker"
        }
        "squatted_number" => "the enterprise number is registered to someone else than the maker who uses it",
        "unregistered_number" => {
            "the enterprise number is above the registry; its use is known from practice"
        }
        "platform_brand" => "the platform is also sold under other names",
        "needs_corroboration" => "this enterprise number alone does not settle who made it",
        "inherited_subtree" => "this subtree was inherited from a former joint venture",
        "oem_brand" => "the builder sells this equipment to others, who put their name on it",
        "label_company" => "this company sells equipment of several builders",
        "passed_on" => {
            "this product line went to another owner; which of them built it the evidence does not tell"
        }
        "shared_number" => "several makers' cards answer with this enterprise number",
        "shared_name" => {
            "two companies of this name share the number; which of them built it the evidence does not tell"
        }
        "element_name_only" => {
            "the model stands only in the element's own name, which an operator can change"
        }
        _ => "a doubt the knowledge names",
    }
}

/// Everything together.
pub(crate) fn conclude(
    index: &Index<'_>,
    knowledge: &Knowledge,
    mut findings: Findings,
    parts: Parts,
) -> Identification {
    let labels = std::mem::take(&mut findings.labels);
    for vote in &mut findings.votes {
        if let Some((_, brand)) = labels.iter().find(|(name, _)| *name == vote.named.supplier.id) {
            vote.aspect = Aspect::Brand;
            vote.named.supplier = brand.clone();
            vote.standing = Standing::Alone;
        }
    }
    one_company(&mut findings.votes);
    let maker = weighed(&findings.votes, Aspect::Maker);
    let labelled = weighed(&findings.votes, Aspect::Brand);
    note(index, &maker, &mut findings);
    rests_on(&maker, &mut findings);
    rival_brands(&labelled, maker.winner.as_ref(), &mut findings);
    let brand = labelled.winner.or_else(|| maker.winner.clone());
    outweighed(&maker, brand.as_ref(), &mut findings);
    let mut claims: Vec<Claim> = findings
        .votes
        .into_iter()
        .map(|vote| {
            let answer = if vote.aspect == Aspect::Maker {
                &maker.winner
            } else {
                &brand
            };
            let won = answer
                .as_ref()
                .is_some_and(|answer| answer.supplier == vote.named.supplier);
            Claim {
                subject: Subject::Unit,
                aspect: vote.aspect,
                supplier: vote.named.supplier,
                signal: vote.signal,
                confidence: vote.weight.clamp(0.0, 1.0),
                evidence: vote.evidence,
                knowledge: vote.knowledge,
                source: vote.source,
                won,
            }
        })
        .collect();
    claims.sort_by(|a, b| {
        (b.won, b.confidence)
            .partial_cmp(&(a.won, a.confidence))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    claims.extend(parts.claims);
    findings.doubts.extend(parts.doubts);
    Identification {
        knowledge: knowledge.version().to_owned(),
        maker: maker.winner,
        brand,
        claims,
        doubts: findings.doubts,
        unit: unit::read(index),
        components: parts.components,
    }
}

/// Two registries spell a company nobody curated in two ways (`Acme Networks`, `Acme Systems Inc.`): names that
/// begin with the same word of their own become the one whose vote weighs most.
fn one_company(votes: &mut [Vote]) {
    let mut strongest: BTreeMap<String, (f64, SupplierRef)> = BTreeMap::new();
    for vote in votes.iter() {
        let Some(word) = own_word(&vote.named) else {
            continue;
        };
        let better = |(weight, supplier): &(f64, SupplierRef)| {
            (vote.weight, &vote.named.supplier.id) > (*weight, &supplier.id)
        };
        if strongest.get(&word).is_none_or(better) {
            strongest.insert(word, (vote.weight, vote.named.supplier.clone()));
        }
    }
    for vote in votes {
        if let Some((_, supplier)) = own_word(&vote.named).and_then(|word| strongest.get(&word)) {
            vote.named.supplier = supplier.clone();
        }
    }
}

/// The first word of the name of a company nobody curated, unless it is an ordinary one.
fn own_word(named: &Named) -> Option<String> {
    if named.listed {
        return None;
    }
    let plain = normalised(&named.supplier.name);
    let first = plain.split(' ').next().unwrap_or_default();
    (first.chars().count() >= 4 && !ORDINARY.contains(&first)).then(|| first.to_owned())
}

/// The weighed votes of one aspect.
struct Weighed {
    winner: Option<Attribution>,
    /// The strongest other supplier that may be named.
    rival: Option<(SupplierRef, f64)>,
    /// What spoke, when nothing of it may name a maker.
    too_little: Vec<(Signal, SupplierRole, String)>,
}

fn weighed(votes: &[Vote], aspect: Aspect) -> Weighed {
    let mut groups: BTreeMap<&SupplierRef, Vec<&Vote>> = BTreeMap::new();
    for vote in votes.iter().filter(|vote| vote.aspect == aspect) {
        groups.entry(&vote.named.supplier).or_default().push(vote);
    }
    let mut ranked: Vec<(&SupplierRef, f64)> = groups
        .iter()
        .filter(|(_, votes)| may_name(votes))
        .map(|(&supplier, votes)| (supplier, together(votes)))
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let rival = ranked
        .get(1)
        .map(|&(supplier, weight)| (supplier.clone(), weight));
    let winner = ranked.first().and_then(|&(supplier, weight)| {
        let against = rival.as_ref().map_or(0.0, |rival| rival.1);
        let confidence = (weight * (1.0 - CONTRADICTION * against)).clamp(0.0, MOST_CONFIDENCE);
        (confidence >= LEAST_CONFIDENCE).then(|| Attribution {
            supplier: supplier.clone(),
            confidence,
        })
    });
    let too_little = groups.into_values().flatten().filter(|_| ranked.is_empty());
    Weighed {
        winner,
        rival,
        too_little: too_little
            .map(|vote| (vote.signal, vote.named.role, vote.named.supplier.name.clone()))
            .collect(),
    }
}

/// Whether votes for one supplier are enough to name it: one that stands alone, or what somebody
/// could have written together with what the hardware shows.
fn may_name(votes: &[&Vote]) -> bool {
    let with = |standing: Standing| votes.iter().filter(move |vote| vote.standing == standing);
    with(Standing::Alone).next().is_some()
        || with(Standing::Told)
            .any(|told| with(Standing::Hardware).any(|seen| family(seen.signal) != family(told.signal)))
}

/// Independent signals multiply doubt away; a second signal of one family counts half.
pub(crate) fn together(votes: &[&Vote]) -> f64 {
    let mut votes: Vec<&&Vote> = votes.iter().collect();
    votes.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let mut families = Vec::new();
    let mut doubt = 1.0;
    for vote in votes {
        let family = family(vote.signal);
        let weight = if families.contains(&family) {
            vote.weight * 0.5
        } else {
            vote.weight
        };
        families.push(family);
        doubt *= 1.0 - weight.clamp(0.0, 0.99);
    }
    1.0 - doubt
}

fn family(signal: Signal) -> u8 {
    match signal {
        Signal::SysObjectId | Signal::VendorType | Signal::EnterpriseArc => 0,
        Signal::SysDescr => 1,
        Signal::MfgName | Signal::EntityText | Signal::IdentObject | Signal::PrivateTable => 2,
        Signal::Oui => 3,
        Signal::EngineId => 4,
    }
}

/// A doubt when the answer rests on one kind of evidence that can mislead.
fn rests_on(maker: &Weighed, findings: &mut Findings) {
    let Some(winner) = &maker.winner else { return };
    let mut signals = findings
        .votes
        .iter()
        .filter(|vote| vote.aspect == Aspect::Maker && vote.named.supplier == winner.supplier)
        .map(|vote| vote.signal);
    let Some(first) = signals.next() else { return };
    if signals.any(|signal| signal != first) {
        return;
    }
    let (code, text) = match first {
        Signal::Oui => (
            "address_only",
            "only hardware addresses name the maker; it may be that of a network card",
        ),
        Signal::EnterpriseArc => (
            "private_tables_only",
            "only the private tables that answer name the maker",
        ),
        Signal::SysDescr => (
            "description_only",
            "only sysDescr names the maker; operators can change it",
        ),
        _ => return,
    };
    findings.doubt(Subject::Unit, code, text.to_owned(), None);
}

/// Doubts that only the whole shows.
fn note(index: &Index<'_>, maker: &Weighed, findings: &mut Findings) {
    match (&maker.winner, &maker.rival) {
        (Some(winner), Some((rival, weight))) if *weight >= CONTRADICTS => {
            let spoke = votes_for(rival, Aspect::Maker, &findings.votes);
            let text = format!(
                "evidence for {} ({}) stands against {}",
                rival.name,
                kinds(&spoke),
                winner.supplier.name
            );
            let evidence = spoke.first().map(|vote| vote.evidence.clone());
            findings.doubt(Subject::Unit, "contradiction", text, evidence);
        }
        (None, Some(_)) => {
            let text = "the evidence names several makers, none of them clearly".to_owned();
            findings.doubt(Subject::Unit, "contradiction", text, None);
        }
        (None, None) => too_little(&maker.too_little, findings),
        _ => {}
    }
    for varbind in index.others.values() {
        let text = "an object answered twice and differently; both answers are read".to_owned();
        findings.doubt(Subject::Unit, "repeated_object", text, Some(evidence_of(varbind)));
    }
    if index.unanswered > 0 {
        let text = format!("{} questions did not end complete", index.unanswered);
        findings.doubt(Subject::Unit, "partial_evidence", text, None);
    }
}

/// Doubts about other names on the unit than the one it is told under, where evidence of its own tells that one.
fn rival_brands(brand: &Weighed, maker: Option<&Attribution>, findings: &mut Findings) {
    let Some(winner) = &brand.winner else {
        if let Some((rival, _)) = &brand.rival {
            let text = "the evidence names several brands, none of them clearly".to_owned();
            let spoke = votes_for(rival, Aspect::Brand, &findings.votes);
            let evidence = spoke.first().map(|vote| vote.evidence.clone());
            findings.doubt(Subject::Unit, "contradiction", text, evidence);
        }
        return;
    };
    let told = |supplier: &SupplierRef| {
        *supplier == winner.supplier || maker.is_some_and(|maker| maker.supplier == *supplier)
    };
    let lost: BTreeSet<&SupplierRef> = findings
        .votes
        .iter()
        .filter(|vote| vote.aspect == Aspect::Brand && !told(&vote.named.supplier))
        .map(|vote| &vote.named.supplier)
        .collect();
    let against = |supplier: &SupplierRef| {
        let rival = brand.rival.as_ref();
        rival.is_some_and(|(rival, weight)| rival == supplier && *weight >= CONTRADICTS)
    };
    let doubts: Vec<(&str, String, Option<EvidenceRef>)> = lost
        .into_iter()
        .take(MOST_OUTWEIGHED)
        .map(|supplier| {
            let spoke = votes_for(supplier, Aspect::Brand, &findings.votes);
            let (code, stands) = if against(supplier) {
                ("contradiction", "stands")
            } else {
                ("outweighed", "is too little to stand")
            };
            let text = format!(
                "brand {} ({}) {stands} against brand {}",
                supplier.name,
                kinds(&spoke),
                winner.supplier.name
            );
            (code, text, spoke.first().map(|vote| vote.evidence.clone()))
        })
        .collect();
    for (code, text, evidence) in doubts {
        findings.doubt(Subject::Unit, code, text, evidence);
    }
}

/// What speaks of a maker or brand, the strongest first.
fn votes_for<'v>(supplier: &SupplierRef, aspect: Aspect, votes: &'v [Vote]) -> Vec<&'v Vote> {
    let of = |vote: &&Vote| vote.aspect == aspect && vote.named.supplier == *supplier;
    let mut spoke: Vec<&Vote> = votes.iter().filter(of).collect();
    spoke.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    spoke
}

/// The kinds of evidence, each once.
fn kinds(votes: &[&Vote]) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for vote in votes {
        let kind = match vote.signal {
            Signal::SysObjectId => "sysObjectID",
            Signal::SysDescr => "sysDescr",
            Signal::VendorType => "entPhysicalVendorType",
            Signal::MfgName => "entPhysicalMfgName",
            Signal::EntityText => "texts of parts",
            Signal::Oui => "hardware addresses",
            Signal::EngineId => "snmpEngineID",
            Signal::EnterpriseArc => "private tables that answer",
            Signal::IdentObject => "an identification object",
            Signal::PrivateTable => "a private table",
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds.join(", ")
}

/// Others than maker and brand whom some evidence names, but too little of it to contradict: makers of the board
/// within, of a card, of what is plugged in. Each is a doubt with what it rests on; chips and software are in all.
fn outweighed(maker: &Weighed, brand: Option<&Attribution>, findings: &mut Findings) {
    let Some(winner) = &maker.winner else { return };
    let told = |supplier: &SupplierRef| {
        *supplier == winner.supplier
            || brand.is_some_and(|brand| brand.supplier == *supplier)
            || maker
                .rival
                .as_ref()
                .is_some_and(|(rival, weight)| rival == supplier && *weight >= CONTRADICTS)
    };
    let lost: BTreeSet<&SupplierRef> = findings
        .votes
        .iter()
        .filter(|vote| vote.aspect == Aspect::Maker && !told(&vote.named.supplier))
        .filter(|vote| !matches!(vote.named.role, SupplierRole::Chip | SupplierRole::Software))
        .map(|vote| &vote.named.supplier)
        .collect();
    let doubts: Vec<(String, Option<EvidenceRef>)> = lost
        .into_iter()
        .take(MOST_OUTWEIGHED)
        .map(|supplier| {
            let spoke = votes_for(supplier, Aspect::Maker, &findings.votes);
            let text = format!(
                "evidence for {} ({}) is too little to stand against {}",
                supplier.name,
                kinds(&spoke),
                winner.supplier.name
            );
            (text, spoke.first().map(|vote| vote.evidence.clone()))
        })
        .collect();
    for (text, evidence) in doubts {
        findings.doubt(Subject::Unit, "outweighed", text, evidence);
    }
}

/// Why what spoke names nobody: one doubt for each kind.
fn too_little(spoke: &[(Signal, SupplierRole, String)], findings: &mut Findings) {
    let mut said = false;
    for (code, signal, text) in [
        (
            "needs_corroboration",
            Signal::EngineId,
            "only snmpEngineID names it, which an operator can set; it needs corroboration",
        ),
        (
            "description_only",
            Signal::SysDescr,
            "only words in passing in sysDescr name it; operators can write them",
        ),
    ] {
        if let Some((.., name)) = spoke.iter().find(|(of, ..)| *of == signal) {
            findings.doubt(Subject::Unit, code, format!("{name}: {text}"), None);
            said = true;
        }
    }
    let rest = spoke
        .iter()
        .find(|(of, ..)| !matches!(of, Signal::EngineId | Signal::SysDescr | Signal::SysObjectId));
    let (code, text) = match rest {
        Some((_, SupplierRole::Software, _)) => ("board_address_only", "only virtual hardware is seen"),
        Some(_) => (
            "board_address_only",
            "only a maker of boards, chips, network cards or other parts is seen; the unit's maker is not",
        ),
        None if said || findings.has(SEVERAL_MAKERS) => return,
        None => ("no_evidence", "nothing that answered names a maker"),
    };
    findings.doubt(Subject::Unit, code, text.to_owned(), None);
}
