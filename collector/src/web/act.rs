//! What people do from the pages: one form for many findings or for one, without a script.
//!
//! Invariants: a finding is named with the revision it was shown at, and nothing
//! is done where one moved since; who acts is who signed in, never what a form
//! says; what was typed comes back with the mistake beside it; after an act the
//! browser is sent back to a page of ours.

use super::access::{Visit, again};
use super::findings::{self, Line};
use super::page::refuse;
use super::{finding, show, waivers};
use crate::acts::{self, Chosen, Deed, Named, Refused, TEXT_CHARS, Unfit};
use crate::api::Problem;
use axum::extract::{Form, Query as Pairs};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use model::{Act, FindingId, Removal, Right, Which};
use policy::waiver::Refusal;
use std::collections::BTreeSet;

/// Findings in one form: as many as a page has at most.
const MOST: usize = 500;
/// Longest address of a page to go back to, in octets: its filter line is percent-encoded.
const MOST_BACK: usize = 8_000;
/// The buttons that end a waiver, …
const REFUSE: &str = "refuse_waiver";
const TAKE_BACK: &str = "take_back_waiver";
/// … and how what they did is told.
const REFUSED: &str = "waiver_refused";
const TAKEN_BACK: &str = "waiver_taken_back";

/// What lies before whoever acts: what they selected and typed, what became of it.
#[derive(Debug, Default)]
pub struct Desk {
    /// The page the form is on.
    pub back: String,
    /// Who acts.
    pub me: String,
    /// Whether they may act.
    pub may_act: bool,
    /// Whether they may sign.
    pub may_sign: bool,
    /// The first day a waiver may end on.
    pub today: String,
    /// What was done, in words; empty for nothing.
    pub told: String,
    /// Why nothing was done; empty if there is no trouble.
    pub problem: String,
    /// What the trouble is about: key and name.
    pub about: Vec<(String, String)>,
    /// The act that was tried.
    pub tried: String,
    /// What was typed.
    pub typed: Typed,
    /// The field that is wrong, and why.
    pub fault: Option<(&'static str, String)>,
    chosen: BTreeSet<FindingId>,
    moved: BTreeSet<FindingId>,
}

/// The fields of the form.
#[derive(Debug, Default)]
pub struct Typed {
    /// To whom it is given.
    pub to: String,
    /// A remark.
    pub text: String,
    /// Why it is to be waived.
    pub reason: String,
    /// Until when.
    pub until: String,
    /// When it goes.
    pub planned: String,
    /// What takes its place.
    pub replacement: String,
    /// Who sees to it.
    pub owner: String,
    /// Why a waiver is refused or taken back.
    pub ground: String,
    /// How it is known that it is gone.
    pub proof: String,
}

impl Desk {
    /// An empty one, with what was done last.
    #[must_use]
    pub fn new(visit: &Visit, told: String) -> Self {
        Self {
            me: visit.person.name.clone(),
            may_act: visit.person.may(Right::Act),
            may_sign: visit.person.may(Right::Sign),
            today: (visit.clock)()
                .date()
                .map_or_else(String::new, |day| day.to_string()),
            told,
            ..Self::default()
        }
    }

    /// What is wrong with a field; empty for nothing.
    #[must_use]
    pub fn wrong(&self, field: &str) -> &str {
        match &self.fault {
            Some((name, words)) if *name == field => words,
            _ => "",
        }
    }

    /// Whether this act was tried and its part of the form stands open.
    #[must_use]
    pub fn tries(&self, act: &str) -> bool {
        self.tried == act
    }

    /// Marks a row that is selected, or that moved.
    pub fn mark(&self, finding: FindingId, line: &mut Line) {
        line.chosen = self.chosen.contains(&finding);
        line.moved = self.moved.contains(&finding);
    }

    /// Whether a finding is selected.
    #[must_use]
    pub fn has(&self, finding: FindingId) -> bool {
        self.chosen.contains(&finding)
    }
}

/// Takes from the parameters what the last act left there, and says it in words: no text of a stranger's link.
#[must_use]
pub fn told(pairs: &mut Vec<(String, String)>) -> String {
    let mut words = String::new();
    pairs.retain(|(key, value)| {
        if key == "told" {
            words = in_words(value).unwrap_or_default();
        }
        key != "told"
    });
    words
}

fn in_words(told: &str) -> Option<String> {
    let (kind, count) = told.split_once('.')?;
    let count: u64 = count.parse().ok()?;
    let done = match kind {
        "acknowledged" => "Acknowledged",
        "assigned" => "Assigned",
        "commented" => "Comment written",
        "waiver_asked" => "Waiver asked for; it holds once somebody else has approved it",
        "waived" => "Waiver approved",
        REFUSED => "Waiver refused",
        TAKEN_BACK => "Waiver taken back",
        "removal_planned" => "Removal planned",
        "removal_confirmed" => "Removal confirmed",
        _ => return None,
    };
    let findings = if count == 1 { "finding" } else { "findings" };
    Some(format!("{done}: {} {findings}.", show::number(count)))
}

/// `POST /findings/act`
pub async fn act(visit: Visit, Form(pairs): Form<Vec<(String, String)>>) -> Response {
    take(&visit, Tried::read(pairs), Tried::act).await
}

/// `POST /findings/sign`
pub async fn sign(visit: Visit, Form(pairs): Form<Vec<(String, String)>>) -> Response {
    take(&visit, Tried::read(pairs), Tried::sign).await
}

/// A form as it came.
#[derive(Debug, Default)]
struct Tried {
    act: String,
    back: String,
    chosen: Vec<Chosen>,
    typed: Typed,
}

/// A field and what is wrong with it.
type Fault = (&'static str, String);

impl Tried {
    /// What is not understood is left out; texts are cut a little beyond what may be said, so that too long is told.
    fn read(pairs: Vec<(String, String)>) -> Self {
        let mut tried = Self::default();
        let mut seen = BTreeSet::new();
        for (key, value) in pairs {
            let text = || {
                value
                    .replace(['\r', '\n'], " ")
                    .chars()
                    .take(TEXT_CHARS + 1)
                    .collect()
            };
            let typed = &mut tried.typed;
            match key.as_str() {
                "do" => tried.act = text(),
                "back" if value.len() <= MOST_BACK => tried.back = value,
                "finding" => {
                    let words = value.split_whitespace().filter_map(token);
                    tried
                        .chosen
                        .extend(words.filter(|one| seen.insert(one.finding)).take(MOST + 1));
                }
                "to" => typed.to = text(),
                "text" => typed.text = text(),
                "reason" => typed.reason = text(),
                "until" => typed.until = text(),
                "planned" => typed.planned = text(),
                "replacement" => typed.replacement = text(),
                "owner" => typed.owner = text(),
                "ground" => typed.ground = text(),
                "proof" => typed.proof = text(),
                _ => {}
            }
        }
        tried
    }

    /// What an operator may do.
    fn act(&self, me: &str) -> Result<Act, Fault> {
        let typed = &self.typed;
        match self.act.as_str() {
            "acknowledge" => Ok(Act::Acknowledge),
            "assign_to_me" => Ok(Act::Assign { to: me.to_owned() }),
            "assign" => Ok(Act::Assign {
                to: name("to", &typed.to)?,
            }),
            "comment" => Ok(Act::Comment {
                text: text("text", &typed.text)?,
            }),
            "waive" => Ok(Act::Waive {
                reason: text("reason", &typed.reason)?,
                until: text("until", &typed.until)?,
            }),
            "plan_removal" => Ok(Act::PlanRemoval(Removal {
                planned: text("planned", &typed.planned)?,
                replacement: text("replacement", &typed.replacement)?,
                owner: name("owner", &typed.owner)?,
            })),
            _ => Err(NO_ACT()),
        }
    }

    /// What only a second person may do.
    fn sign(&self, _: &str) -> Result<Act, Fault> {
        match self.act.as_str() {
            "approve" => Ok(Act::Approve),
            REFUSE => self.ends(Which::Asked),
            TAKE_BACK => self.ends(Which::InForce),
            "confirm_removal" => Ok(Act::ConfirmRemoval {
                reason: text("proof", &self.typed.proof)?,
            }),
            _ => Err(NO_ACT()),
        }
    }

    /// One waiver of two ends, that of the button.
    fn ends(&self, which: Which) -> Result<Act, Fault> {
        Ok(Act::EndWaiver {
            reason: text("ground", &self.typed.ground)?,
            which: Some(which),
        })
    }
}

/// Nothing that can be done here was asked for.
const NO_ACT: fn() -> Fault = || ("", "Choose what to do.".to_owned());

fn name(field: &'static str, typed: &str) -> Result<String, Fault> {
    acts::name(typed).map_err(|words| (field, words))
}

fn text(field: &'static str, typed: &str) -> Result<String, Fault> {
    acts::text(typed).map_err(|words| (field, words))
}

/// A finding and the revision it was shown at.
fn token(word: &str) -> Option<Chosen> {
    let (finding, seen) = word.split_once('.')?;
    Some(Chosen {
        finding: finding.parse().ok()?,
        seen: Some(seen.parse().ok()?),
    })
}

/// A page that forms are on.
enum Back {
    Findings,
    Finding(String),
    Waivers,
}

impl Back {
    /// Its route.
    fn route(&self) -> &'static str {
        match self {
            Self::Findings => "/findings",
            Self::Finding(_) => "/findings/{id}",
            Self::Waivers => "/waivers",
        }
    }

    /// The page behind a path of ours; nothing else is gone to.
    fn read(uri: &Uri) -> Option<Self> {
        let plain = uri.to_string().bytes().all(|b| b.is_ascii_graphic());
        if uri.authority().is_some() || !plain {
            return None;
        }
        match uri.path() {
            "/findings" => Some(Self::Findings),
            "/waivers" => Some(Self::Waivers),
            path => {
                let id: FindingId = path.strip_prefix("/findings/")?.parse().ok()?;
                Some(Self::Finding(id.to_string()))
            }
        }
    }
}

async fn take(visit: &Visit, tried: Tried, read: fn(&Tried, &str) -> Result<Act, Fault>) -> Response {
    let uri: Option<Uri> = tried.back.parse().ok();
    let Some((back, uri)) = uri.and_then(|uri| Some((Back::read(&uri)?, uri))) else {
        return refuse(
            visit,
            Some(visit.person.clone()),
            &Problem::NotFound("page to go back to"),
        );
    };
    let mut desk = Desk::new(visit, String::new());
    let status = match done(visit, &tried, read, &mut desk).await {
        Ok((kind, count)) => {
            let asked = uri.query().map(|query| format!("{query}&")).unwrap_or_default();
            let path = uri.path();
            return Redirect::to(&format!("{path}?{asked}told={kind}.{count}")).into_response();
        }
        Err(status) => status,
    };
    desk.chosen = tried.chosen.iter().map(|one| one.finding).collect();
    desk.typed = tried.typed;
    desk.tried = tried.act;
    let mut pairs = Pairs::<Vec<(String, String)>>::try_from_uri(&uri)
        .map(|Pairs(pairs)| pairs)
        .unwrap_or_default();
    let _old = told(&mut pairs);
    let fault = desk.fault.as_ref().map(|(_, words)| words.as_str());
    let words = format!("{} {}", desk.problem, fault.unwrap_or_default());
    let (shown, why) = ((back.route(), uri.path()), (status, words.trim_end()));
    match back {
        Back::Findings => {
            let page = async { findings::list(visit, pairs, desk).await.map(|(_, page)| page) };
            again(visit, shown, why, page).await
        }
        Back::Finding(id) => again(visit, shown, why, finding::show_finding(visit, &id, desk)).await,
        Back::Waivers => again(visit, shown, why, waivers::list(visit, pairs, desk)).await,
    }
}

/// Does it, or writes on the desk why not.
async fn done(
    visit: &Visit,
    tried: &Tried,
    read: fn(&Tried, &str) -> Result<Act, Fault>,
    desk: &mut Desk,
) -> Result<(&'static str, usize), StatusCode> {
    let me = &visit.person.name;
    if tried.chosen.is_empty() || tried.chosen.len() > MOST {
        desk.problem = match tried.chosen.len() {
            0 => "Nothing is selected.".to_owned(),
            _ => format!("At most {MOST} findings at a time."),
        };
        return Err(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let act = match read(tried, me) {
        Ok(act) => act,
        Err(("", words)) => {
            desk.problem = words;
            return Err(StatusCode::UNPROCESSABLE_ENTITY);
        }
        Err(fault) => {
            desk.fault = Some(fault);
            desk.problem = "Nothing was done: see the field below.".to_owned();
            return Err(StatusCode::UNPROCESSABLE_ENTITY);
        }
    };
    let kind = match &act {
        Act::EndWaiver {
            which: Some(Which::Asked),
            ..
        } => REFUSED,
        Act::EndWaiver { .. } => TAKEN_BACK,
        act => act.kind(),
    };
    let by = visit.by();
    let deed = Deed {
        by: &by.person,
        account: &by.from,
        act,
        unfit: Unfit::Refuse,
    };
    let sees = |site: &model::SiteName| visit.person.sees(site);
    match acts::act(&*visit.acts, &tried.chosen, deed, &sees, (visit.clock)()).await {
        Ok(done) => Ok((kind, done.on.len())),
        Err(refused) => Err(desk.refused(refused)),
    }
}

impl Desk {
    fn refused(&mut self, why: Refused) -> StatusCode {
        let shown = |named: &Named| (named.finding.to_string(), show::clean(&named.label, 160));
        match why {
            Refused::Moved(moved) => {
                self.problem =
                    "Somebody changed these meanwhile; nothing was done. Look again, then act:".to_owned();
                self.about = moved.iter().map(shown).collect();
                self.moved = moved.iter().map(|named| named.finding).collect();
                StatusCode::CONFLICT
            }
            Refused::Unfit { named, refusal } => {
                let field = match &refusal {
                    Refusal::NoDay(_) | Refusal::Passed(_) => Some("until"),
                    Refusal::NoDate(_) => Some("planned"),
                    _ => None,
                };
                self.fault = field.map(|field| (field, refusal.to_string()));
                self.problem = format!("Nothing was done: {}:", show::clean(&refusal.to_string(), 200));
                self.about = vec![shown(&named)];
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Refused::Unknown(_) | Refused::Nothing => {
                self.problem = "Nothing was done: one of these findings is not known here.".to_owned();
                StatusCode::NOT_FOUND
            }
            Refused::NoDay => {
                self.problem = "Nothing was done: the collector's clock shows no day.".to_owned();
                StatusCode::SERVICE_UNAVAILABLE
            }
            Refused::Store(error) => {
                Problem::Store(error).log();
                self.problem = "Nothing was done: the store did not answer. Try again.".to_owned();
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_ours_are_gone_back_to() {
        let back = |text: &str| text.parse().ok().as_ref().and_then(Back::read).is_some();
        let one = format!("/findings/{}", FindingId::generate());
        for good in [
            "/findings",
            "/findings?severity=major&site=a",
            "/waivers?state=asked",
            &one,
        ] {
            assert!(back(good), "{good}");
        }
        for bad in [
            "",
            "//evil.example/findings",
            "https://evil.example/findings",
            "/findings/act",
            "/findings/../admin",
            "/\\evil.example",
            "/findings?text=é",
            "/admin",
            "javascript:alert(1)",
        ] {
            assert!(!back(bad), "{bad}");
        }
    }

    #[test]
    fn what_was_done_is_told_in_our_words_only() {
        let mut pairs = vec![
            ("told".to_owned(), "assigned.2".to_owned()),
            ("site".to_owned(), "a".to_owned()),
        ];
        assert_eq!(told(&mut pairs), "Assigned: 2 findings.");
        assert_eq!(pairs.len(), 1);
        for bad in ["call 555", "assigned.<b>", "x.1", "assigned"] {
            assert_eq!(told(&mut vec![("told".to_owned(), bad.to_owned())]), "");
        }
    }

    #[test]
    fn forms_are_bounded_and_name_each_finding_once() {
        let key = FindingId::generate();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let tried = Tried::read(vec![
            pair("finding", &format!("{key}.3 {key}.4 nonsense")),
            pair("text", "one\r\ntwo"),
            pair("back", &"x".repeat(MOST_BACK + 1)),
        ]);
        assert_eq!(tried.chosen.len(), 1);
        assert_eq!(tried.chosen[0].seen, Some(3));
        assert_eq!(tried.typed.text, "one  two");
        assert!(tried.back.is_empty());
    }
}
